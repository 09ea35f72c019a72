"""`python -m delivery.bench.size DIR`: count, in a new process, what a ledger holds and what it takes on disk."""

from __future__ import annotations

import json
import sqlite3
import sys
from pathlib import Path
from typing import Any

from core.data_directory import LEDGER_FILE, VIEWS_FILE


def ledger_size(data: Path) -> dict[str, Any]:
    """Recorded events, and bytes of the ledger's files for each, without bodies."""
    connection = sqlite3.connect(data / LEDGER_FILE)
    try:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        (events,) = connection.execute("SELECT count(*) FROM events").fetchone()
        (bodies,) = connection.execute("SELECT coalesce(sum(pgsize), 0) FROM dbstat WHERE name='bodies'").fetchone()
    finally:
        connection.close()
    size = (data / LEDGER_FILE).stat().st_size - bodies + (data / "claims.sqlite").stat().st_size
    return {
        "events_recorded": events,
        "bytes_per_event": size / events,
        "bytes_of_bodies": bodies,
        "bytes_of_views": (data / VIEWS_FILE).stat().st_size,
    }


if __name__ == "__main__":
    json.dump(ledger_size(Path(sys.argv[1])), sys.stdout)
