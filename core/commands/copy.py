"""`hookledger copy`: a whole ledger into an empty one, from a data directory into a database or back."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from core.clock import SystemClock
from core.commands.desk import print_json
from core.epilog import epilog
from core.ledger.copy import OnCopied
from core.ledger.keys import KEY_FILE
from core.moving import Moved, move
from core.options import json_option
from core.printing import many, print_facts
from core.randomness import Randomness
from core.settings import DATABASE_SCHEMA, KEY_VARIABLE


@click.command(
    epilog=epilog(
        "hookledger copy --from hookledger-data --to postgresql://owner@db.example/portal",
        "hookledger copy --from postgresql://owner@db.example/portal --to hookledger-data",
    )
)
@click.option("--from", "source", required=True, metavar="PLACE", help="A data directory, or the URL of a database.")
@click.option("--to", "target", required=True, metavar="PLACE", help="The same, with no ledger in it yet.")
@click.option(
    "--schema", default=DATABASE_SCHEMA, show_default=True, metavar="NAME", help="Where in a database the tables are."
)
@json_option
def copy(source: str, target: str, schema: str, as_json: bool) -> None:
    """Copy a whole ledger, and check that both are equal.

    Nobody may use either meanwhile: stop `serve` first. A database is to be migrated before. When it breaks off, type
    it again: it goes on where it was. The master key is not copied, and the target needs the same. Views are made again
    from the ledger.
    """
    with _shown() as on_copied:
        made = move(source, target, schema, os.environ, SystemClock(), Randomness(), on_copied)
    if as_json:
        print_json(made)
        return
    rate = made.copied / made.copy_s if made.copy_s else 0.0
    facts = [("from", made.source), ("to", made.target)]
    if made.went_on_after:
        facts.append(("went on after", str(made.went_on_after)))
    facts += [
        ("position", str(made.position)),
        ("copied", f"{many(made.copied, 'event')} in {made.copy_s:.2f} s, {rate:,.0f} a second"),
        ("equal", f"{', '.join(f'{count:,} {name}' for name, count in made.rows.items())} in {made.check_s:.2f} s"),
        ("hash", made.hash),
        ("master key", "opens it" if made.key == "opens it" else "missing"),
    ]
    print_facts(facts)
    click.echo(_about_key(made), err=True)


def _about_key(made: Moved) -> str:
    if made.key == "opens it":
        return "The master key is not copied: every process on the copy needs the one that is here."
    return (
        f"The master key is not copied: bring {KEY_FILE} of the old place to the data directory, or set {KEY_VARIABLE}."
    )


@contextmanager
def _shown() -> Iterator[OnCopied]:
    """A bar, where somebody is looking."""
    console = Console(stderr=True)
    columns = (TextColumn("copying"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        bar = progress.add_task("copying", total=None)
        yield lambda last, head: progress.update(bar, completed=last, total=head)
