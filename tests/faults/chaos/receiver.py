"""A receiver in a process of its own: `python -m tests.faults.chaos.receiver LOG`. It prints its port, and writes down
every request before it answers: when it came, its path, `webhook-id`, the attempt, `webhook-timestamp`. Some answers
are a 500, most of those of `/bad`; some are slow, and now and then one takes seconds.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from hashlib import sha256

from core.clock import SystemClock


def answer_for(path: str, id: str, attempt: int) -> tuple[int, float]:
    """Status, and how long it takes; the same request always gets the same answer."""
    first, second, third, *_ = sha256(f"{id}{attempt}".encode()).digest()
    status = 500 if first < (200 if path == "/bad" else 4) else 200
    return status, 1.0 + third / 128 if second < 1 else third / 1024 if second < 6 else 0.0


async def main(log_path: str) -> None:
    log = os.open(log_path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    loop, clock = asyncio.get_running_loop(), SystemClock()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                came = clock.now_ms() / 1_000
                fields = dict(line.split(": ", 1) for line in head.split("\r\n")[1:] if line)
                body = json.loads(await reader.readexactly(int(fields["Content-Length"])))
                path, id = head.split(" ", 2)[1], fields["webhook-id"]
                attempt = body["webhook"].get("retryCount", 0) + 1
                os.write(log, f"{came:.3f} {path} {id} {attempt} {fields['webhook-timestamp']}\n".encode())
                status, wait_s = answer_for(path, id, attempt)
                if wait_s:
                    passed = asyncio.Event()
                    loop.call_later(wait_s, passed.set)
                    await passed.wait()
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
