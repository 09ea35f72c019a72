"""Ledgers with everything in them, and all their rows, asked without any code of ours."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import psycopg

from core.ledger.keys import MasterKey
from core.ledger.unit import Body, Claim, Entry, Sealed, Unit
from core.model import webhook
from core.moving import move
from tests.builders import NOW, Books, create_webhook, neutral, set_person, stream
from tests.invented import InventedClock

TABLES = ("events", "claims", "commits", "bodies", "secrets", "landmarks", "directories", "identity")
KEYS = (bytes(range(32)), bytes(32))


def rows(place):
    """All rows of all tables, by name of column; asked without any code of ours."""
    if hasattr(place, "schema"):
        with psycopg.connect(place.url, autocommit=True) as connection:
            return {table: _rows(connection.cursor(), f"{place.schema}.{table}") for table in TABLES}
    with closing(sqlite3.connect(place / "ledger.sqlite")) as connection:
        return {table: _rows(connection.cursor(), table) for table in TABLES}


def _rows(cursor, table):
    cursor.execute(f"SELECT * FROM {table}")
    names = [column[0] for column in cursor.description]
    return sorted((sorted(zip(names, row, strict=True)) for row in cursor.fetchall()), key=repr)


def check_values(place):
    if hasattr(place, "schema"):
        with psycopg.connect(place.url, autocommit=True) as connection:
            return connection.execute(f"SELECT sealed FROM {place.schema}.key_check").fetchall()
    with closing(sqlite3.connect(place / "ledger.sqlite")) as connection:
        return connection.execute("SELECT sealed FROM key_check").fetchall()


def a_ledger(place, commits=60, key=KEYS[0]):
    """A ledger with everything in it: commits of one event and of many, bodies without payload, two tenants."""
    with Books(place) as books:
        for number in range(commits):
            at = NOW + number * 7
            secret = Sealed(
                stream(9_000_000 + number), stream(number), MasterKey(key).seal("S3", stream(number), bytes(12))
            )
            bodies = (Body(0, b"salt", b"data"), Body(1, b"", b"", b"payload"))
            few = [neutral(10 * number), neutral(10 * number + 1)]
            units = [Unit(few, Claim("event:1", str(number)), None, bodies)]
            if number % 3 == 0:
                units += [Unit([neutral(10 * number + more)]) for more in range(2, 6)]
            if number % 5 == 0:
                tenant = ("1", "ä")[number % 2]
                units.append(
                    Unit([Entry(stream(10 * number + 7), 1, create_webhook(tenant=tenant))], secrets=(secret,))
                )
                units.append(Unit([Entry(stream(10 * number + 8), 1, set_person(f"p{number}", tenant=tenant))]))
                units.append(Unit([Entry(stream(10 * number + 7), 2, webhook.Enabled(tenant, at, None))]))
            books.append(*units, at=at)
        return books.appender.last


def moved(source, target, environment=None):
    places = [place.url if hasattr(place, "schema") else str(place) for place in (source, target)]
    schema = next(place.schema for place in (source, target, Nowhere) if hasattr(place, "schema"))
    return move(*places, schema, environment or {}, InventedClock(), bytes)


class Nowhere:
    schema = "nowhere"


async def copied(place, schema, source, target, *words):
    return await place.run("copy", "--from", str(source), "--to", str(target), "--schema", schema.schema, *words)
