"""Several roles share a ledger's database: whoever came first made the tables of views, and all others may use them."""

from __future__ import annotations

import os
from contextlib import ExitStack, closing, contextmanager

import psycopg
import pytest

from core.errors import LedgerBusyError, LedgerError
from core.ledger.opening import open_database
from core.ledger.postgres.copying import PostgresStore
from core.ledger.postgres.leader import Leader
from core.ledger.postgres.migrate import views_schema
from core.ledger.postgres.recorder import connect
from core.ledger.unit import Unit
from core.model.topics import Codec
from tests.builders import NOW, neutral
from tests.moving.test_migrate import as_user, migrated

TABLES = ("CREATE TABLE IF NOT EXISTS rows_1 (number INTEGER PRIMARY KEY)",)


@contextmanager
def roles(schema, *names):
    """Roles that may do nothing yet, and their databases."""
    names = [f"{name}_{schema.schema}" for name in names]
    with psycopg.connect(schema.url, autocommit=True) as connection:
        for name in names:
            connection.execute(f"CREATE ROLE {name} LOGIN PASSWORD 'app'")
        try:
            yield [(name, schema._replace(url=as_user(schema.url, name, "app"))) for name in names]
        finally:
            for name in names:
                connection.execute(f"DROP OWNED BY {name} CASCADE")
                connection.execute(f"DROP ROLE {name}")


@contextmanager
def opened(database):
    with ExitStack() as stack:
        yield open_database(stack, database, Codec(), os.urandom(16))


def kept(shared, view, *, is_recorded=True):
    """A view is made, if it is not there, and goes on by one position."""
    position = shared.views.begin(view, TABLES)
    if is_recorded:
        shared.appender.append([Unit([neutral(position + 100)])], NOW)
    shared.views.write(view, position, position + 1, lambda rows: rows.insert("rows_1", 1, [position + 1]))
    return [number for (number,) in shared.views.rows("SELECT number FROM rows_1 ORDER BY 1")]


async def test_all_roles_and_the_owner_use_the_same_views(place, schema):
    """The first role makes the tables; one granted before, one granted after, and the owner go on with them."""
    with roles(schema, "first", "second", "third") as ((first, as_first), (second, as_second), (third, as_third)):
        for role in (first, second):
            assert (await migrated(place, schema, "--grant", role)).code == 0
        with opened(as_first) as shared:
            assert kept(shared, "rows/1") == [1]
        with opened(as_second) as shared:
            assert kept(shared, "rows/1") == [1, 2]
            assert shared.leader.claim() == 1
            shared.leader.release(1)
        granted = await migrated(place, schema, "--grant", third)
        assert granted.code == 0, granted.err
        for database in (as_third, schema):
            with opened(database) as shared:
                shared.views.term = 1
                kept(shared, "rows/1")
        with connect(schema.url, views_schema(schema.schema)) as owner:
            assert owner.execute("SELECT max(number) FROM rows_1").fetchone() == (4,)


async def test_views_that_were_dropped_are_missed_in_one_line_and_come_back_with_their_rights(place, schema):
    """Nobody starts without their schema; `migrate` makes it again, for all that were granted before."""
    with roles(schema, "app") as ((role, as_app),):
        await migrated(place, schema, "--grant", role)
        with psycopg.connect(schema.url, autocommit=True) as connection:
            connection.execute(f"DROP SCHEMA {views_schema(schema.schema)} CASCADE")
        with (
            pytest.raises(LedgerError, match=r"there is no schema .*_views for views.*hookledger migrate"),
            opened(as_app),
        ):
            pass
        assert (await migrated(place, schema)).code == 0
        with opened(as_app) as shared:
            assert kept(shared, "rows/1") == [1]


async def test_what_others_record_while_one_begins_is_not_missing(place, schema):
    """Views that are ahead of where the ledger ended a moment ago are none that are ahead of the ledger."""
    await migrated(place, schema)
    with opened(schema) as shared:
        kept(shared, "rows/1")
        type(shared.views)(*schema, os.urandom(16), head=0).close()
        kept(shared, "rows/1", is_recorded=False)
        with pytest.raises(LedgerError, match="what was recorded last is missing"):
            type(shared.views)(*schema, os.urandom(16), head=1)


async def test_nothing_is_copied_from_under_a_leader(place, schema, tmp_path):
    """Receivers would hear all of it twice."""
    await migrated(place, schema)
    with closing(Leader(schema, b"leader")) as leader, connect(*schema) as connection:
        assert leader.claim() == 1
        with pytest.raises(LedgerBusyError, match="a process leads on"):
            PostgresStore(connection, *schema, source=True)
        leader.release(1)
        PostgresStore(connection, *schema, source=True)


async def test_a_database_that_is_not_utf8_is_refused(place, schema):
    """Not every text could be kept in it, or read again."""
    name = f"latin_{schema.schema}"
    with psycopg.connect(schema.url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0")
        try:
            ran = await migrated(place, schema._replace(url=f"{schema.url}&dbname={name}"))
            assert (ran.code, "encoding is LATIN1" in ran.err, ran.err.count("\n")) == (1, True, 1)
        finally:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


async def test_what_is_acknowledged_is_on_disk_also_where_a_role_would_not_wait(place, schema):
    """`synchronous_commit` is switched on for our connections, and left as it is where it promises more."""
    with roles(schema, "app") as ((role, as_app),):
        await migrated(place, schema, "--grant", role)
        with psycopg.connect(schema.url, autocommit=True) as connection:
            for said, held in (("off", "on"), ("remote_apply", "remote_apply")):
                connection.execute(f"ALTER ROLE {role} SET synchronous_commit = {said}")
                with connect(*as_app) as ours:
                    assert ours.execute("SHOW synchronous_commit").fetchone() == (held,)
