"""Where views are kept in tests: in a file, or in a database of a real server."""

from __future__ import annotations

import os

import psycopg

from core.ledger.files import remove
from core.ledger.postgres.migrate import views_schema
from core.ledger.views import Views
from tests.postgres import drop, new_database


class InFile:
    """Views in a file beside the ledger."""

    def open(self, recorder, head=None, kind=Views):
        return kind(self.file(recorder), recorder.identity, head)

    def file(self, recorder):
        return recorder.path.with_name("views.sqlite")

    def clear(self, recorder):
        """As if nothing had been followed."""
        remove(self.file(recorder))

    def close(self):
        """Files go with their directory."""


class InDatabase:
    """Views in a database; the ledger is anywhere."""

    def __init__(self):
        self.database = new_database()

    def open(self, recorder=None, head=None, kind=None):
        # Who only has SQLite can use the other one.
        from core.ledger.postgres.views import PostgresViews

        return (kind or PostgresViews)(self.database.url, self.database.schema, os.urandom(16), head)

    def clear(self, recorder=None):
        """As if nothing had been followed."""
        schema = views_schema(self.database.schema)
        tables = self.tell(f"SELECT tablename FROM pg_tables WHERE schemaname='{schema}'")
        # Quicker by far than making them again.
        self.tell("; ".join(f"DELETE FROM {table}" for (table,) in tables) or "SELECT")

    def tell(self, sql):
        """What somebody else does, or asks."""
        with psycopg.connect(self.database.url) as connection:
            connection.execute(f"SET search_path TO {views_schema(self.database.schema)}")
            connection.execute("SET LOCAL synchronous_commit TO off")
            answer = connection.execute(sql)
            return answer.fetchall() if answer.description else []

    def close(self):
        drop(self.database)
