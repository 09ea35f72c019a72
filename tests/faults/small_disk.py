"""A disk of a few megabytes, where the machine lets us mount one."""

from __future__ import annotations

import contextlib
import subprocess
from pathlib import Path

MEGABYTES = 6


class SmallDisk:
    """A file system in memory, at a directory of its own."""

    def __init__(self, at: Path) -> None:
        self.at = at
        at.mkdir(exist_ok=True)
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={MEGABYTES}m,mode=700", "tmpfs", str(at)], check=True)

    def fill(self) -> None:
        """Leave no room at all."""
        with (self.at / "filler").open("ab", buffering=0) as filler:
            for block in (2**16, 2**12, 1):
                with contextlib.suppress(OSError):
                    while True:
                        filler.write(b"x" * block)

    def make_room(self) -> None:
        (self.at / "filler").unlink()

    def close(self) -> None:
        subprocess.run(["umount", "--lazy", str(self.at)], check=True)


def can_mount(at: Path) -> bool:
    """Whether this user may mount here; containers often do not let even root."""
    try:
        SmallDisk(at).close()
    except (subprocess.CalledProcessError, FileNotFoundError):
        return False
    return True
