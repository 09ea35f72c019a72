"""A PostgreSQL database by its URL: connected to, and what goes wrong with it in one line, without its password."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import closing, contextmanager
from urllib.parse import quote, unquote

import psycopg
from psycopg.conninfo import conninfo_to_dict

from core.errors import InvalidInputError, LedgerError
from core.ledger.postgres.recorder import READ_S, Connection, connect
from core.setting_kinds import DATABASE_SCHEMES

HIDDEN = "…"
SECRETS = ("password", "sslpassword", "oauth_client_secret")
SCHEMA_NAME = re.compile(r"(?!pg_|information_schema)[A-Za-z_][A-Za-z0-9_]{0,56}(?<!_views)")

FULL = re.compile("too many (connections|clients)|remaining connection slots")
"""What is said, without a code, to who connects once too often."""

WHAT_TO_DO = {
    "53300": "it has no connections left: raise max_connections, or the role's limit, or stop what else uses it",
    "42501": "let its user do that (`migrate --grant ROLE`), or name in the URL the user whose tables they are",
    "25006": "it may only be read: name the primary server",
    "55P03": "another process holds the ledger: stop what runs on it, and type this again",
    "57014": "it takes too long: see what else runs on the server",
    "53100": "its disk is full: make room, and type this again",
}
"""By PostgreSQL's code of an error."""


def check_place(url: str, schema: str) -> None:
    """InvalidInputError when no database can be meant, or a schema's name is none. Never says what it read: parts of
    a password may stand anywhere in a URL that is written wrongly."""
    if not url.startswith(DATABASE_SCHEMES):
        raise InvalidInputError("a database is named by a URL: postgresql://USER@HOST/NAME")
    rest = url.partition("://")[2]
    before_path = re.split(r"[/?#]", rest, maxsplit=1)[0]
    if rest.count("@") > 1 or "@" in rest[len(before_path) :]:
        raise InvalidInputError(
            "the URL of the database has an @ too many: write @ / ? # : of a password as %40 %2F %3F %23 %3A, "
            "or keep it in the file that PGPASSFILE names"
        )
    try:
        conninfo_to_dict(url)
    except psycopg.Error:
        raise InvalidInputError(
            "the URL of the database cannot be read: write it like postgresql://USER@HOST:5432/NAME, "
            "and what is special in a name or a password as %40 for @"
        ) from None
    if not SCHEMA_NAME.fullmatch(schema):
        raise InvalidInputError(
            f"{schema!r} is no name for a ledger's schema: letters, digits and _, up to 57 of them, not pg_… or …_views"
        )


@contextmanager
def connected(url: str, schema: str, *, timeout_s: float = READ_S) -> Iterator[Connection]:
    """A connection as `connect` makes it; LedgerError, whatever the database says no with."""
    try:
        with closing(connect(url, schema, timeout_s=timeout_s)) as connection:
            yield connection
    except psycopg.Error as error:
        raise LedgerError(in_words(error, url)) from None


def named(url: str) -> str:
    """What to call it: its name, and where it is."""
    said = conninfo_to_dict(url)
    name = f"the database {said.get('dbname') or said.get('user') or ''!s}".rstrip()
    return f"{name} at {said['host']}" if said.get("host") else name


def in_words(error: psycopg.Error, url: str) -> str:
    """The line for *error*, with what to do."""
    code = error.sqlstate or ("53300" if FULL.search(str(error)) else None)
    said = without_secrets(" ".join(str(error).split()), url)
    if code is None:
        return (
            f"{named(url)} does not let us in, or does not answer: {said}; see that it runs, and that the URL is right"
        )
    todo = WHAT_TO_DO.get(code)
    return f"{named(url)}: {said}" if todo is None else f"{named(url)}: {todo} ({said})"


def without_secrets(text: str, url: str) -> str:
    """*text* in which no password of the URL stands, however it was written there."""
    said = conninfo_to_dict(url)
    for name in SECRETS:
        secret = said.get(name)
        if secret:
            for written in (str(secret), quote(str(secret), safe=""), unquote(str(secret))):
                text = text.replace(written, HIDDEN)
    return text
