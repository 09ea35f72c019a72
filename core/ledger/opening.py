"""Opens a ledger where it is: in a file, or in a database, for which the extra `postgres` must be installed."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from core.errors import LedgerError
from core.ledger.append import SqliteAppender
from core.ledger.sqlite import SqliteRecorder
from core.ledger.store import Appender, Database, Recorder
from core.ledger.writer import Writer
from core.model.topics import Codec

if TYPE_CHECKING:
    from core.ledger.postgres.hearing import Hearing


def open_file(opened: ExitStack, path: Path, codec: Codec, synchronous: str) -> tuple[Recorder, Appender]:
    """A ledger in a file, which is made where there is none; *opened* closes it."""
    recorder = SqliteRecorder(path, synchronous)
    opened.callback(recorder.close)
    appender = SqliteAppender(recorder, codec)
    opened.callback(appender.close)
    return recorder, appender


def open_database(opened: ExitStack, database: Database, codec: Codec, process: bytes) -> tuple[Recorder, Appender]:
    """A ledger that was migrated; *opened* closes its connections. *process*: 16 random bytes that name this one."""
    try:
        from core.ledger.postgres.append import PostgresAppender  # noqa: PLC0415
        from core.ledger.postgres.recorder import PostgresRecorder  # noqa: PLC0415 -- an extra
    except ImportError as error:
        raise LedgerError(
            f"a ledger in a database needs psycopg: pip install 'hookledger[postgres]' ({error})"
        ) from None
    recorder = PostgresRecorder(*database)
    opened.callback(recorder.close)
    appender = PostgresAppender(recorder, codec, process)
    opened.callback(appender.close)
    return recorder, appender


def hearing(database: Database | None, writer: Writer, process: bytes) -> Hearing | None:
    """Who has the writer look when another process has recorded something; None: a file has no others."""
    if database is None:
        return None
    from core.ledger.postgres.hearing import Hearing  # noqa: PLC0415 -- as above

    return Hearing(database, writer, process)
