"""`hookledger migrate`: a ledger on PostgreSQL made ready for use, or brought to the form that this version reads."""

from __future__ import annotations

import os
from pathlib import Path

import click

from core.commands.desk import print_json
from core.epilog import epilog
from core.ledger.keys import KEY_FILE
from core.ledger.postgres.database import check_place, connected
from core.ledger.postgres.founding import Founded, found
from core.ledger.postgres.migrate import grant as let
from core.ledger.store import Place
from core.options import json_option, place_option
from core.printing import print_facts
from core.randomness import Randomness
from core.settings import KEY_VARIABLE

WAIT_S = 3_600
"""How long one migration may take, and how long another process's may be waited for."""


@click.command(
    epilog=epilog(
        "hookledger migrate --database postgresql://owner@db.example/portal",
        "hookledger migrate --database postgresql://owner@db.example/portal --grant hookledger_app",
    )
)
@click.option("--grant", metavar="ROLE", help="Let this role read the ledger, and write it by its function alone.")
@place_option
@json_option
def migrate(grant: str | None, place: Place, as_json: bool) -> None:
    """Make a ledger on PostgreSQL, or bring it to the form of this version.

    What was run already is not run again, also when two do this at once. The first time the ledger is told its master
    key: HOOKLEDGER_KEY, else master.key in the data directory, which is made there if there is none. No other command
    makes a key for a database.
    """
    if place.database is None:
        raise click.UsageError("say which --database; its user owns the tables")
    data, (database, schema) = place.data, place.database
    check_place(database, schema)
    with connected(database, schema, timeout_s=WAIT_S) as connection:
        connection.execute(f"SET lock_timeout = {WAIT_S * 1_000}")
        made = found(connection, schema, os.environ, data, Randomness())
        if grant is not None:
            let(connection, schema, grant)
    if as_json:
        print_json(made)
        return
    facts = [
        ("migrations", ", ".join(made.migrations) or "nothing to do"),
        ("form", str(made.form)),
        ("master key", _key(made, data)),
    ]
    if grant is not None:
        facts.append(("granted to", grant))
    print_facts(facts)
    if made.key_file is not None:
        click.echo(f"Bring {made.key_file} to every process of this ledger, and keep a copy of it.", err=True)


def _key(made: Founded, data: Path) -> str:
    match made.key:
        case "made":
            return f"made: {made.key_file}"
        case "taken":
            return "the one that is here is the ledger's from now on"
        case "opens it":
            return "the one that is here opens it"
        case "to come":
            return "to come: the ledger is half a copy; type `hookledger copy` again, and it goes on"
        case "not here":
            return f"not here: processes of this ledger need it, as {data / KEY_FILE} or in {KEY_VARIABLE}"
