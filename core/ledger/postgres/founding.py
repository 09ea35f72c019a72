"""A ledger on PostgreSQL made ready for use: its tables, and the value that each process tries its master key on.

Two that do this at once do it one after the other. The key itself stays outside of the database.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal

import msgspec

from core.errors import LedgerError
from core.ledger.key_check import check_value, try_on
from core.ledger.keys import KEY_FILE, MasterKey, given_key, master_key
from core.ledger.postgres.migrate import FORM, LOCK, migrate
from core.ledger.postgres.recorder import Connection

Key = Literal["made", "taken", "opens it", "not here", "to come"]


class Founded(msgspec.Struct, frozen=True):
    """`migrations`: names of those that were run, none when there was nothing to do; `form`: of the tables, now.

    `key`, the master key: made | taken (the one that was given is the ledger's from now on) | opens it | not here |
    to come (the ledger is half a copy). `key_file`: where it was made, else null.
    """

    schema: str
    form: int
    migrations: list[str]
    key: Key
    key_file: str | None = None


def found(
    connection: Connection,
    schema: str,
    environment: Mapping[str, str],
    data: Path,
    random_bytes: Callable[[int], bytes],
) -> Founded:
    """Migrate, and see to the check value; *connection* is in autocommit mode. The key is that of *environment*, else
    of the key file in *data*; for an empty ledger it is made there if there is none.

    LedgerError when the ledger is a newer version's, or another key's, or a key cannot be made.
    """
    # Each connection may take it twice: `migrate` does so, too.
    connection.execute("SELECT pg_advisory_lock(%s, %s)", LOCK)
    try:
        migrations = migrate(connection, schema)
        key, made = _settle_key(connection, environment, data, random_bytes)
    finally:
        if not connection.closed:
            connection.execute("SELECT pg_advisory_unlock(%s, %s)", LOCK)
    return Founded(schema, FORM, migrations, key, str(made) if made else None)


def _settle_key(
    connection: Connection, environment: Mapping[str, str], data: Path, random_bytes: Callable[[int], bytes]
) -> tuple[Key, Path | None]:
    def first(sql: str) -> Any:
        row = connection.execute(sql).fetchone()
        return None if row is None else row[0]

    identity, check = first("SELECT id FROM identity"), first("SELECT sealed FROM key_check")
    raw = given_key(environment, data / KEY_FILE)
    if check is not None:
        if raw is None:
            return "not here", None
        try_on(check, MasterKey(raw), identity, "the ledger")
        return "opens it", None
    if first("SELECT EXISTS (SELECT FROM copying)"):
        return "to come", None
    is_empty = not first("SELECT EXISTS (SELECT FROM commits)")
    if raw is None and not is_empty:
        return "not here", None
    if raw is None:
        _make(data)
    key = master_key(environment, data, random_bytes, create=is_empty)
    newest = connection.execute("SELECT sealed, webhook FROM secrets ORDER BY id DESC LIMIT 1").fetchone()
    if newest is not None:
        key.open(*newest)
    connection.execute("INSERT INTO key_check VALUES (%s)", (check_value(key, identity, random_bytes),))
    return ("made", data / KEY_FILE) if raw is None else ("taken", None)


def _make(data: Path) -> None:
    try:
        data.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise LedgerError(f"the master key cannot be kept in {data}: {error.strerror}; name another --data") from error
