"""A command on a terminal of its own, with somebody who answers what it asks."""

from __future__ import annotations

import asyncio
import fcntl
import os
import pty
import struct
import sys
import termios

from tests.end_to_end.place import DEADLINE_S, ROOT, Ran


async def on_a_terminal(place, *words, answers=(), columns=100, **environment):
    """All that was to be seen, and how it ended. *answers*: what to type once these words have been seen."""
    ours, its = pty.openpty()
    fcntl.ioctl(its, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "hookledger",
        *words,
        cwd=ROOT,
        env={**place.environment, "TERM": "xterm-256color", **environment},
        stdin=its,
        stdout=its,
        stderr=its,
    )
    os.close(its)
    loop = asyncio.get_running_loop()
    seen, left = "", list(answers)
    async with asyncio.timeout(3 * DEADLINE_S):
        while True:
            try:
                piece = await loop.run_in_executor(None, os.read, ours, 4_096)
            except OSError:  # the other side is closed
                break
            if not piece:
                break
            seen += piece.decode()
            if left and left[0][0] in seen:
                os.write(ours, f"{left.pop(0)[1]}\n".encode())
        code = await process.wait()
    os.close(ours)
    return Ran(code, seen.replace("\r\n", "\n"), "")
