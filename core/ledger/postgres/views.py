"""The views in a PostgreSQL database, in a schema beside the ledger's: rows made from recorded events.

Who follows goes on by compare-and-set: of two, the second one's write finds the position moved, and it stands by.
A schema of their own, because whoever may make tables beside the ledger's function could slip it something.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import psycopg
from eventsourcing import persistence
from psycopg.sql import SQL, Identifier
from psycopg.types.numeric import Int8BinaryDumper
from psycopg.types.string import StrDumperUnknown

from core.errors import ConflictError, LedgerError
from core.ledger.postgres import dialect
from core.ledger.postgres.arrays import OF
from core.ledger.postgres.migrate import views_schema
from core.ledger.postgres.recorder import (
    Connection,
    LedgerDatastore,
    configure,
    connect,
    in_the_librarys_words,
    path_of,
    rows_from,
)
from core.ledger.view_store import Writing

TRACKING = (
    "CREATE TABLE IF NOT EXISTS tracking"
    " (view text PRIMARY KEY, position bigint NOT NULL, writer bytea NOT NULL DEFAULT '')"
)
SEEN = "SELECT position, writer FROM tracking WHERE view=?"
KINDS = (
    "SELECT attname::text, format_type(atttypid, NULL) FROM pg_attribute"
    " WHERE attrelid=CAST(? AS regclass) AND attnum>0 AND NOT attisdropped ORDER BY attnum"
)
USABLE = "SELECT FROM pg_namespace WHERE nspname=? AND has_schema_privilege(oid, 'USAGE')"
OURS = """
    SELECT relname FROM pg_class JOIN pg_namespace n ON n.oid = relnamespace
    WHERE nspname = %s AND relkind = 'r' AND pg_get_userbyid(relowner) = current_user
"""
LET = SQL("GRANT SELECT, INSERT, UPDATE, DELETE ON {} TO {} {}")
OTHERS = """
    SELECT DISTINCT rolname, nspowner = pg_roles.oid
    FROM pg_namespace LEFT JOIN LATERAL aclexplode(nspacl) ON privilege_type = 'USAGE', pg_roles
    WHERE nspname = %s AND pg_roles.oid IN (nspowner, grantee) AND rolname <> current_user
"""
ALONE = "SELECT pg_advisory_xact_lock(8420, hashtext(current_schema()::text))"
"""Tables are made by one process at a time."""

READING = ("jit = off", "plan_cache_mode = force_custom_plan", "enable_seqscan = off")
"""Questions are put so that an index leads to the answer; they differ in what is bound, and each gets its own plan."""
WRITING = ("jit = off", "enable_seqscan = off", "enable_hashjoin = off", "enable_mergejoin = off")
"""Batches find their rows by key, also while nobody knows how many there are."""


class PostgresViews:
    """One connection that writes, for one thread, and a pool that reads."""

    damage: str | None = None
    """The database looks after itself."""

    def __init__(self, url: str, schema: str, writer: bytes, head: int | None = None) -> None:
        """*schema* is the ledger's; *writer*: 16 random bytes, this process's name. *head* is the ledger's: LedgerError
        where it ends before what the views have seen. PersistenceError when nobody answers."""
        self.url, self.schema, self.ledger = url, views_schema(schema), Identifier(schema)
        self.term = 0
        """The term in which this process leads: views are written in no other."""
        self._writer = writer
        self._connection: Connection | None = None
        self._is_closed = False
        self._kinds: dict[str, dict[str, str]] = {}
        self._datastore = LedgerDatastore(url, self.schema, _configure_reading)
        try:
            self._compare(head)
        except BaseException:  # whatever it was, nothing stays open
            self.close()
            raise

    def _compare(self, head: int | None) -> None:
        with self._transaction() as writing:
            if writing.one(USABLE, (self.schema,)) is None:
                raise LedgerError(
                    f"there is no schema {self.schema} for views, or it may not be used: `hookledger migrate` as the "
                    "owner, with --grant for another role"
                )
            if writing.one("SELECT to_regclass('tracking') IS NULL") == (True,):
                writing.execute(ALONE)
                writing.execute(TRACKING)
                writing.let_others(self.schema)
            row = writing.one("SELECT coalesce(max(position), 0) FROM tracking")
            if head is not None and row is not None and row[0] > head:
                # Others go on while this one begins.
                head = max(head, writing.head_of(self.ledger))
        if head is not None and row is not None and row[0] > head:
            raise LedgerError(
                f"the ledger ends at position {head}, and its views have seen {row[0]}: what was recorded last is "
                f"missing. If the ledger is an older copy on purpose, drop the schema {self.schema} and migrate"
            )

    @property
    def path(self) -> str:
        """What to call it: without its password."""
        return path_of(self.url)

    def doubt(self, error: Exception) -> bool:
        """Nothing is made anew here."""
        return False

    def begin(self, view: str, tables: Sequence[str]) -> int:
        """Make sure a view's tables are there; the position it has seen. PersistenceError when that cannot be."""
        with self._transaction() as writing:
            # Who only reads, or stands by, need not be allowed to make tables.
            row = writing.one(SEEN, (view,))
            if row is None:
                writing.execute(ALONE)
                writing.make(tables)
                writing.let_others(self.schema)
                writing.execute("INSERT INTO tracking VALUES (?, 0) ON CONFLICT (view) DO NOTHING", (view,))
                row = writing.one(SEEN, (view,))
        assert row is not None
        return int(row[0])

    def write(self, view: str, previous: int, position: int, fill: Callable[[Writing], None]) -> None:
        """In one transaction: the view goes on from *previous* to *position*, and *fill* writes its rows. ConflictError
        when somebody else follows, or the term is over; PersistenceError when the database does not take it.

        May be called again when a connection broke: what was committed after all is not written twice."""
        with self._transaction() as writing:
            if not writing.leads(self.ledger, self.term):
                raise ConflictError(f"the view {view!r} is followed by another process, which leads now")
            moved = writing.execute(
                "UPDATE tracking SET position=?, writer=? WHERE view=? AND position=?",
                (position, self._writer, view, previous),
            )
            if moved.rowcount == 1:
                fill(writing)
                return
            if writing.one(SEEN, (view,)) != (position, self._writer):
                raise ConflictError(f"somebody else follows the view {view!r}")

    def rows(self, sql: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """All rows of one query; blocks. PersistenceError when the database cannot be asked."""
        return rows_from(self._datastore, dialect.translated(sql), parameters)

    def seen(self) -> dict[str, int]:
        """Up to where each view has seen; blocks. PersistenceError when the database cannot be asked."""
        return dict(self.rows("SELECT view, position FROM tracking"))

    def is_led(self) -> bool:
        """Whether some process leads, and views are followed; blocks."""
        sql = SQL("SELECT until > clock_timestamp() FROM {}.leader").format(self.ledger).as_bytes()
        return rows_from(self._datastore, sql, ()) == [(True,)]

    def close(self) -> None:
        """Nothing is open any more, or opened again. From any thread."""
        self._is_closed = True
        self._datastore.close()
        if self._connection is not None:
            self._connection.close()

    @contextmanager
    def _transaction(self) -> Iterator[Session]:
        with in_the_librarys_words():
            if self._connection is None or (self._connection.closed and not self._is_closed):
                self._connection = connect(self.url, self.schema)
                configure_writing(self._connection)
            connection = self._connection
            try:
                with connection.transaction():
                    yield Session(connection, self._kinds)
            except psycopg.Error as error:
                if connection.closed:
                    # However it was closed, as for standing still in a transaction: the next one is made anew.
                    raise persistence.OperationalError(str(error).strip()) from error
                raise


class Session:
    """A connection that writes views, in SQLite's words; others begin and end its transactions."""

    def __init__(self, connection: Connection, kinds: dict[str, dict[str, str]]) -> None:
        self._connection, self._kinds = connection, kinds

    def execute(self, sql: str, parameters: Sequence[Any] = (), /) -> psycopg.Cursor[tuple[Any, ...]]:
        return self._connection.cursor(binary=True).execute(dialect.translated(sql), parameters)

    def one(self, sql: str, parameters: Sequence[Any] = ()) -> tuple[Any, ...] | None:
        """The first row of what is asked."""
        return self.execute(sql, parameters).fetchone()

    def leads(self, ledger: Identifier, term: int) -> bool:
        """Whether this is the term, and will be until the transaction ends."""
        asked = SQL("SELECT FROM {}.leader WHERE term = %s FOR KEY SHARE").format(ledger)
        return self._connection.execute(asked, (term,)).rowcount == 1

    def head_of(self, ledger: Identifier) -> int:
        """Where the ledger ends by now."""
        asked = SQL("SELECT coalesce(max(last), 0) FROM {}.commits").format(ledger)
        row = self._connection.execute(asked).fetchone()
        return 0 if row is None else int(row[0])

    def let_others(self, schema: str) -> None:
        """Tables belong to whoever makes them first: let the schema's owner, and all who may use it, have them too."""
        made = self._connection.execute(OURS, (schema,)).fetchall()
        for role, is_owner in self._connection.execute(OTHERS, (schema,)).fetchall() if made else ():
            tables = SQL(", ").join(Identifier(schema, table) for (table,) in made)
            option = SQL("WITH GRANT OPTION" if is_owner else "")
            self._connection.execute(LET.format(tables, Identifier(role), option))

    def insert(self, table: str, columns: int, values: list[Any], otherwise: str = "") -> None:
        if values:
            kinds = tuple(self._kinds_of(table).values())
            self._many(dialect.inserting(table, kinds, otherwise), kinds, values)

    def update(self, table: str, columns: tuple[str, ...], values: list[Any]) -> None:
        if values:
            known = self._kinds_of(table)
            kinds = tuple(known[name] for name in columns)
            self._many(dialect.updating(table, columns, kinds), kinds, values)

    def among(self, sql: str, numbers: Sequence[int]) -> list[tuple[Any, ...]]:
        if not numbers:
            return []
        found = self._many(dialect.among(sql), ("bigint",), numbers)
        return found.fetchall() if found.description else []

    def _many(self, statement: bytes, kinds: Sequence[str], values: Sequence[Any]) -> psycopg.Cursor[tuple[Any, ...]]:
        columns = [OF[kind](_kept(kind, values[number :: len(kinds)])) for number, kind in enumerate(kinds)]
        return self._connection.cursor(binary=True).execute(statement, columns, prepare=True)

    def _kinds_of(self, table: str) -> dict[str, str]:
        """Of each column of a table, what PostgreSQL calls its type."""
        if table not in self._kinds:
            self._kinds[table] = dict(self.execute(KINDS, (table,)).fetchall())
        return self._kinds[table]

    def make(self, tables: Sequence[str]) -> None:
        for statement in dialect.tables(tables):
            self._connection.execute(statement, ())


def _kept(kind: str, values: Sequence[Any]) -> Sequence[Any]:
    return [None if value is None else _without_nul(value) for value in values] if kind == "text" else values


def _without_nul(text: str) -> str:
    """PostgreSQL's text has no NUL; what a receiver said may have one."""
    return text.replace("\0", "\N{REPLACEMENT CHARACTER}")


class _Text(StrDumperUnknown):
    def dump(self, obj: str) -> Any:
        return super().dump(_without_nul(obj))


def _configure_reading(connection: Connection, schema: str) -> None:
    configure(connection, schema)
    _configure_ours(connection, READING)


def configure_writing(connection: Connection) -> None:
    _configure_ours(connection, WRITING)


def _configure_ours(connection: Connection, settings: Iterable[str]) -> None:
    # All our numbers are of one size: then a statement is one statement, whatever is bound.
    connection.adapters.register_dumper(int, Int8BinaryDumper)
    connection.adapters.register_dumper(str, _Text)
    for setting in settings:
        connection.execute(f"SET {setting}".encode())
