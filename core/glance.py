"""A quick look into a ledger that somebody else may hold: who listens and who may speak; read only, no lock."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from core.directory import SNAPSHOT, Directory
from core.ledger.unit import Recorded
from core.model.topics import Codec

LANDMARKS = (
    "SELECT e.position, e.stream, e.version, e.topic, e.state FROM landmarks l JOIN events e ON e.position=l.position"
    " WHERE l.position>? ORDER BY l.position"
)


def glance(ledger: Path) -> Directory:
    """The directory as the ledger file has it now. sqlite3.Error when it cannot be read, or not without writing."""
    decode = Codec().decode
    with closing(sqlite3.connect(f"{ledger.absolute().as_uri()}?mode=ro", uri=True)) as connection:
        connection.execute("BEGIN")
        kept = connection.execute("SELECT state FROM snapshots WHERE name=?", (SNAPSHOT,)).fetchone()
        directory = Directory() if kept is None else Directory.restored(kept[0])
        rows = connection.execute(LANDMARKS, (directory.position,))
        directory.apply(
            Recorded(position, stream, version, decode(topic, state))
            for position, stream, version, topic, state in rows
        )
    return directory
