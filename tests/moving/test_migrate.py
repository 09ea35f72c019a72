"""`hookledger migrate` makes a ledger's tables and its key once, whoever types it how often; others may write it by
its function alone."""

from __future__ import annotations

import asyncio
import os
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest

from core.errors import LedgerError
from core.ledger.key_check import check_key
from core.ledger.keys import MasterKey, given_key
from core.ledger.postgres.migrate import FORM
from core.ledger.postgres.recorder import PostgresRecorder, connect
from core.ledger.unit import Unit
from tests.builders import Books, neutral

KEYS = ("11" * 32, "22" * 32)


async def migrated(place, schema, *words, **environment):
    return await place.run("migrate", "--database", schema.url, "--schema", schema.schema, *words, **environment)


def recorder(schema):
    return PostgresRecorder(schema.url, schema.schema)


async def test_the_second_time_there_is_nothing_to_do(place, schema):
    """Typed first it makes tables, key and check value and says so; typed again it finds all of it, and the key is its
    own."""
    first = await migrated(place, schema)
    assert first.code == 0, first.err
    assert "0001_ledger.sql" in first.out
    assert f"made: {place.data / 'master.key'}" in first.out
    again = await migrated(place, schema)
    assert again.out.splitlines() == [
        "migrations  nothing to do",
        f"form        {FORM}",
        "master key  the one that is here opens it",
    ]
    as_json = await migrated(place, schema, "--json")
    assert as_json.json == {
        "schema": schema.schema,
        "form": FORM,
        "migrations": [],
        "key": "opens it",
        "key_file": None,
    }
    key = MasterKey(given_key({}, place.data / "master.key"))
    books = recorder(schema)
    assert check_key(books, key) is True
    with pytest.raises(LedgerError, match=rf"{key.key_id.hex()}.*bring back its master\.key, or set HOOKLEDGER_KEY"):
        check_key(books, MasterKey(bytes(32)))
    books.close()


async def test_a_key_that_is_given_is_the_ledgers(place, schema):
    """No key is made where one is given; another one is refused from then on, and none is no reason to fail."""
    first = await migrated(place, schema, HOOKLEDGER_KEY=KEYS[0])
    assert (first.code, "the ledger's from now on" in first.out) == (0, True), first.err
    assert not place.data.exists()
    other = await migrated(place, schema, HOOKLEDGER_KEY=KEYS[1])
    assert (other.code, other.out, other.err.count("\n")) == (1, "", 1)
    assert MasterKey(bytes.fromhex(KEYS[0])).key_id.hex() in other.err
    without = await migrated(place, schema)
    assert (without.code, "not here: processes of this ledger need it" in without.out) == (0, True)
    assert not place.data.exists()


async def test_a_ledger_with_a_past_gets_no_new_key(place, schema):
    """A key that was made for a ledger in which something may be sealed already would open none of it."""
    await migrated(place, schema, HOOKLEDGER_KEY=KEYS[0])
    with connect(*schema) as connection:
        connection.execute("DELETE FROM key_check")
    with Books(schema) as books:
        books.append(Unit([neutral()]))
    without = await migrated(place, schema)
    assert (without.code, "not here" in without.out, place.data.exists()) == (0, True, False)
    given = await migrated(place, schema, HOOKLEDGER_KEY=KEYS[0])
    assert "the ledger's from now on" in given.out


async def test_processes_that_migrate_at_once_agree(place, schema):
    """Each migration is run by one of them, all of them end well, and there is one key."""
    ran = await asyncio.gather(*(migrated(place, schema, "--json") for _ in range(4)))
    assert [one.code for one in ran] == [0] * 4, [one.err for one in ran]
    assert sorted(len(one.json["migrations"]) for one in ran) == [0, 0, 0, FORM]
    assert sorted(one.json["key"] for one in ran) == ["made", "opens it", "opens it", "opens it"]


async def test_a_role_writes_by_the_function_alone(place, schema):
    """Who is granted may append, and may not insert, change or delete an event."""
    role = f"app_{schema.schema}"
    with psycopg.connect(schema.url, autocommit=True) as connection:
        connection.execute(f"CREATE ROLE {role} LOGIN PASSWORD 'app'")
        try:
            granted = await migrated(place, schema, "--grant", role)
            assert (granted.code, f"granted to  {role}" in granted.out) == (0, True), granted.err
            app = schema._replace(url=as_user(schema.url, role, "app"))
            with Books(app) as books:
                assert books.append(Unit([neutral()])) == [1]
                check_key(books.recorder, MasterKey(given_key({}, place.data / "master.key")))
            with connect(*app) as theirs:
                for statement in (
                    "INSERT INTO events VALUES (2, 'x', 1, 'x', 'x')",
                    "INSERT INTO commits VALUES (2, 2, 2)",
                    "UPDATE events SET state = 'x'",
                    "DELETE FROM events",
                    "INSERT INTO key_check VALUES ('x')",
                ):
                    with pytest.raises(psycopg.errors.InsufficientPrivilege):
                        theirs.execute(statement)
            refused = await place.run("migrate", "--database", app.url, "--schema", f"{schema.schema}_other")
            assert (refused.code, refused.out, refused.err.count("\n")) == (1, "", 1)
            assert "permission denied" in refused.err
            assert "let its user do that" in refused.err
        finally:
            connection.execute(f"DROP OWNED BY {role}")
            connection.execute(f"DROP ROLE {role}")


async def test_a_ledger_of_a_newer_version_is_left_alone(place, schema):
    """It is said so, by the recorder too, and nothing is run."""
    await migrated(place, schema)
    with connect(*schema) as connection:
        connection.execute("INSERT INTO migrations (number, name) VALUES (9999, 'later')")
    ran = await migrated(place, schema)
    assert (ran.code, ran.out, ran.err.count("\n")) == (1, "", 1)
    assert "the ledger has form 9999" in ran.err
    with pytest.raises(LedgerError, match="has form 9999"):
        recorder(schema)


@pytest.mark.parametrize(
    ("url", "code", "says"),
    [
        ("postgresql://me:geheim7@127.0.0.1:1/db", 1, "does not let us in, or does not answer"),
        ("postgresql://me:geheim7@localhost:1/db?sslmode=wrong", 1, "does not let us in, or does not answer"),
        ("postgresql://127.0.0.1:1/db?user=me&password=geheim7", 1, "does not let us in, or does not answer"),
        ("postgresql://me:ge@heim7@127.0.0.1:1/db", 2, "an @ too many"),
        ("postgresql://me:geheim7/x@127.0.0.1:1/db", 2, "an @ too many"),
        ("postgresql://me:geheim7%zz@127.0.0.1:1/db", 2, "cannot be read"),
        ("postgresql://me:geheim7@127.0.0.1:1/db?nonsense=1", 2, "cannot be read"),
        ("mysql://me:geheim7@127.0.0.1/db", 2, "postgresql://USER@HOST/NAME"),
    ],
)
async def test_a_database_that_is_not_there_is_said_so(place, url, code, says):
    """One line, with what to do, and never with the password, wherever that stands."""
    ran = await place.run("migrate", "--database", url)
    assert (ran.code, ran.out, ran.err.count("\n")) == (code, "", 1)
    assert says in ran.err
    assert "heim7" not in ran.err
    assert not place.data.exists()


async def test_a_refused_password_is_not_repeated(place, schema):
    """Whether or not the server asks for one, it stands in no line."""
    url = as_user(schema.url, f"nobody_{os.getpid()}", "geheim7")
    ran = await place.run("migrate", "--database", url, "--schema", schema.schema)
    assert (ran.code, ran.out, ran.err.count("\n"), "geheim7" in ran.err) == (1, "", 1, False)


async def test_a_schema_that_is_none_is_refused(place, schema):
    """Its name goes into notices and locks, and that of the views' schema is longer."""
    for name in ('x"; DROP', "x" * 58, "pg_x", "information_schema", "other_views"):
        ran = await place.run("migrate", "--database", schema.url, "--schema", name)
        assert (ran.code, ran.err.count("\n"), "is no name for a ledger's schema" in ran.err) == (2, 1, True), name


def as_user(url, user, password):
    """The same database, for somebody else."""
    parts = urlsplit(url)
    where = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=f"{user}:{password}@{where}"))


async def test_without_the_packages_for_it_that_is_said(place):
    """Who has not installed what a database needs is told what to install; other commands work without."""
    without = "import sys; sys.modules['psycopg'] = None; from hookledger import main; main(sys.argv[1:])"
    ran = await place.ended(await place.start_python("-c", without, "migrate", "--database", "postgresql://h/d"))
    assert (ran.code, ran.err.count("\n"), "install hookledger[postgres]" in ran.err) == (1, 1, True)
    other = await place.ended(await place.start_python("-c", without, "triggers"))
    assert other.code == 0, other.err
