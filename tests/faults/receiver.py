"""A receiver in a process of its own: `python receiver.py LOG`. It prints its port, and writes down every request
before it answers: the path, `webhook-id`, and which attempt it was. One in five answers is a 500; `/hang` gets none.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from hashlib import sha256


def answer_for(id: str, attempt: int) -> int:
    """The same request always gets the same answer, so that it does not matter who counts."""
    return 500 if sha256(f"{id}{attempt}".encode()).digest()[0] < 51 else 200


async def main(log_path: str) -> None:
    log = os.open(log_path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                fields = dict(line.split(": ", 1) for line in head.split("\r\n")[1:] if line)
                body = json.loads(await reader.readexactly(int(fields["Content-Length"])))
                path = head.split(" ", 2)[1]
                attempt = body["webhook"].get("retryCount", 0) + 1
                os.write(log, f"{path} {fields['webhook-id']} {attempt}\n".encode())
                if path == "/hang":
                    await reader.read()
                    return
                status = answer_for(fields["webhook-id"], attempt)
                writer.write(f"HTTP/1.1 {status} X\r\nContent-Length: 2\r\n\r\nok".encode())
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
