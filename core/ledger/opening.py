"""Opens a ledger where it is: in a file, or in a database, for which the extra `postgres` must be installed."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from core.errors import LedgerError
from core.ledger.append import SqliteAppender
from core.ledger.sqlite import SqliteRecorder
from core.ledger.store import Database
from core.ledger.writer import Writer
from core.model.topics import Codec

if TYPE_CHECKING:
    from core.ledger.postgres.append import PostgresAppender
    from core.ledger.postgres.hearing import Hearing
    from core.ledger.postgres.leader import Leader
    from core.ledger.postgres.recorder import PostgresRecorder
    from core.ledger.postgres.views import PostgresViews


class Shared(NamedTuple):
    """A ledger in a database, for one of the processes that share it."""

    recorder: PostgresRecorder
    appender: PostgresAppender
    views: PostgresViews
    leader: Leader


def open_file(opened: ExitStack, path: Path, codec: Codec, synchronous: str) -> tuple[SqliteRecorder, SqliteAppender]:
    """A ledger in a file, which is made where there is none; *opened* closes it."""
    recorder = SqliteRecorder(path, synchronous)
    opened.callback(recorder.close)
    appender = SqliteAppender(recorder, codec)
    opened.callback(appender.close)
    return recorder, appender


def open_database(opened: ExitStack, database: Database, codec: Codec, process: bytes) -> Shared:
    """A ledger that was migrated; *opened* closes its connections. *process*: 16 random bytes that name this one.

    LedgerError when it cannot be reached, or is none of ours; InvalidInputError when the URL is none."""
    try:
        from core.ledger.postgres.append import PostgresAppender  # noqa: PLC0415 -- an extra
        from core.ledger.postgres.database import check_place, connected  # noqa: PLC0415
        from core.ledger.postgres.leader import Leader  # noqa: PLC0415
        from core.ledger.postgres.recorder import PostgresRecorder  # noqa: PLC0415
        from core.ledger.postgres.views import PostgresViews  # noqa: PLC0415
    except ImportError as error:
        raise LedgerError(
            f"a ledger in a database needs psycopg: pip install 'hookledger[postgres]' ({error})"
        ) from None
    check_place(*database)
    with connected(*database):
        pass  # A pool says only that it had to wait.
    recorder = PostgresRecorder(*database)
    opened.callback(recorder.close)
    appender = PostgresAppender(recorder, codec, process)
    opened.callback(appender.close)
    views = PostgresViews(*database, process, appender.last)
    opened.callback(views.close)
    leader = Leader(database, process)
    opened.callback(leader.close)
    return Shared(recorder, appender, views, leader)


def hearing(database: Database | None, writer: Writer, process: bytes) -> Hearing | None:
    """Who has the writer look when another process has recorded something; None: a file has no others."""
    if database is None:
        return None
    from core.ledger.postgres.hearing import Hearing  # noqa: PLC0415 -- as above

    return Hearing(database, writer, process)
