"""Whole files: made sure of on disk, put in another's place, removed with what SQLite keeps beside them."""

from __future__ import annotations

import os
from pathlib import Path

BESIDE = ("-wal", "-shm", "-journal")
"""What SQLite may keep beside a file."""


def sync(path: Path) -> None:
    """See that a file, or what a directory lists, is on disk."""
    file = os.open(path, os.O_RDONLY)
    try:
        os.fsync(file)
    finally:
        os.close(file)


def remove(path: Path) -> None:
    """Remove a database file with what lies beside it, if it is there."""
    for suffix in ("", *BESIDE):
        path.with_name(path.name + suffix).unlink(missing_ok=True)


def put_in_place(fresh: Path, path: Path) -> None:
    """Give a file that is whole its name, so that a power cut leaves it or what was there before."""
    sync(fresh)
    fresh.replace(path)
    sync(path.parent)
