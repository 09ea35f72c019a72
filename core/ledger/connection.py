"""Connections to our SQLite files: how they are opened, and a pool of them for those who read."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from pathlib import Path

from eventsourcing.sqlite import SQLiteConnection, SQLiteConnectionPool, SQLiteDatastore

PAGE_CACHE_KIB = 8 * 1024
"""Of each connection: trees that only grow at their end need little, and the kernel caches the rest."""
CHECKPOINT_PAGES = 4_000

sqlite3.register_adapter(bytes, bytes)
# As they are. Without it the module asks bytes, each time, for two methods that they do not have: half of a bound
# value's time (docs/performance.md).


class LedgerPool(SQLiteConnectionPool):
    """The library's pool, with our pragmas and a statement cache (the library's holds one statement)."""

    def __init__(self, path: Path, synchronous: str) -> None:
        self._path = path
        self._synchronous = synchronous
        super().__init__(db_name=str(path))

    def _create_connection(self) -> SQLiteConnection:
        connection = connect(self._path, self._synchronous, create=False)
        return SQLiteConnection(sqlite_conn=connection, max_age=None)


class LedgerDatastore(SQLiteDatastore):
    """The library's datastore over our pool."""

    def __init__(self, path: Path, synchronous: str) -> None:
        super().__init__(":memory:")
        self.pool.close()
        self.pool = LedgerPool(path, synchronous)


def connect(
    path: Path,
    synchronous: str,
    *,
    create: bool = True,
    look: Callable[[sqlite3.Connection], None] = lambda _connection: None,
) -> sqlite3.Connection:
    """A connection in autocommit mode, usable from any one thread at a time. Only its owner may read the file;
    SQLite gives what it keeps beside it the same mode. *look* sees it before anything is written to the file.
    sqlite3.Error, whatever it is that does not open."""
    if create and not path.exists():
        try:
            path.touch(mode=0o600)
        except OSError as error:
            raise sqlite3.OperationalError(f"unable to open database file: {error.strerror}") from error
    if not os.access(path, os.W_OK) and path.is_file():
        # SQLite would open it for reading, and say so no sooner than at the first commit.
        refused = sqlite3.OperationalError("attempt to write a readonly database")
        refused.sqlite_errorcode = sqlite3.SQLITE_READONLY
        raise refused
    # Where it is gone, the database that SQLite would make in its place would pass for it.
    uri = f"{path.absolute().as_uri()}?mode=rw"
    connection = sqlite3.connect(uri, uri=True, check_same_thread=False, isolation_level=None, cached_statements=128)
    try:
        look(connection)
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute(f"PRAGMA synchronous={synchronous}")
        connection.execute(f"PRAGMA cache_size=-{PAGE_CACHE_KIB}")
        connection.execute(f"PRAGMA wal_autocheckpoint={CHECKPOINT_PAGES}")
    except BaseException:  # whatever it was, nothing stays open
        connection.close()
        raise
    return connection
