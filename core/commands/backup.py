"""`hookledger backup` and `restore`: a copy of the ledger, and a ledger from a copy."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

from core.backup import OnCopied, check_place, copy_ledger, key_beside
from core.clock import SystemClock, to_iso
from core.commands.desk import print_json
from core.data_directory import LEDGER_FILE
from core.epilog import epilog
from core.errors import ConflictError, NotFoundError
from core.ledger.keys import KEY_FILE, given_key, write_key
from core.options import data_option, json_option
from core.printing import many, print_facts
from core.restore import restore as put_back
from core.settings import KEY_VARIABLE

PAGE_BYTES = 4_096


@click.command(
    epilog=epilog(
        "hookledger backup /mnt/backups/",
        "hookledger backup ledger.sqlite --with-key",
        then=["hookledger restore /mnt/backups/hookledger-20261124T030000Z.sqlite --data NEW"],
    )
)
@click.argument("said", type=click.Path(), metavar="FILE|DIR/")
@click.option("--with-key", is_flag=True, help="Copy the master key too, to FILE.key: who has both can read secrets.")
@data_option
@json_option
def backup(said: str, with_key: bool, data: Path, as_json: bool) -> None:
    """Copy the ledger, while `serve` runs or not, and check the copy.

    In a directory the copy gets a name by its time. With a slash at its end the target must be a directory that is
    there; without one, what is not there yet is the name of the copy. Views and the claims' index are not copied: they
    are made again from the ledger.
    """
    ledger = data / LEDGER_FILE
    if not ledger.exists():
        raise NotFoundError(f"there is no ledger in {data}: say where it is with --data")
    key = given_key(os.environ, data / KEY_FILE) if with_key else None
    if with_key and key is None:
        raise NotFoundError(f"there is no master key in {data}, and none in {KEY_VARIABLE}")
    clock, target = SystemClock(), Path(said)
    check_place(target if said.endswith(os.sep) else target.parent)
    if target.is_dir():
        named_by = to_iso(clock.now_ms() // 1000 * 1000).replace("-", "").replace(":", "")
        target = target / f"hookledger-{named_by}.sqlite"
    if key is not None and given_key({}, key_beside(target)) not in (None, key):
        # It would be kept, and the copy's own key would be nowhere.
        raise ConflictError(f"{key_beside(target)} is another key: move it away first, or name another file")
    with _shown() as on_copied:
        made = copy_ledger(ledger, target, clock, on_copied)
    if key is not None:
        write_key(key_beside(target), key)
    if as_json:
        print_json(made)
        return
    print_facts(
        [
            ("backup", made.file),
            ("position", str(made.position)),
            ("bytes", str(made.bytes)),
            (
                "checked",
                f"pages, indexes, positions, every event and body, directories of {many(made.tenants, 'tenant')}",
            ),
            ("seconds", f"{made.seconds:.2f}"),
        ]
    )
    if key is not None:
        click.echo(f"Whoever has it and {key_beside(target)} can read every webhook's secret.", err=True)
    else:
        click.echo("The master key is not in it. Keep a copy of that in another place.", err=True)


@click.command(
    epilog=epilog(
        "hookledger restore hookledger-20261124T030000Z.sqlite --key master.key",
        then=["hookledger serve"],
    )
)
@click.argument("copy", type=click.Path(path_type=Path), metavar="FILE")
@click.option(
    "--key", "key_file", type=click.Path(path_type=Path), metavar="FILE", help="The master key, to be put beside it."
)
@data_option
@json_option
def restore(copy: Path, key_file: Path | None, data: Path, as_json: bool) -> None:
    """Make the ledger of a data directory from a backup.

    `serve` must be stopped, and no ledger may be there: what is damaged is moved away first. A FILE.key that
    `backup --with-key` put beside the copy is named with --key.
    """
    made = put_back(copy, data, key_file, os.environ, SystemClock())
    if as_json:
        print_json(made)
        return
    print_facts(
        [
            ("ledger", str(data / LEDGER_FILE)),
            ("position", str(made.position)),
            ("bytes", str(made.bytes)),
            (
                "checked",
                f"pages, indexes, positions, every event and body, directories of {many(made.tenants, 'tenant')}",
            ),
            ("master key", "opens its secrets" if made.key else f"missing: bring it to {data / KEY_FILE}"),
            ("seconds", f"{made.seconds:.2f}"),
        ]
    )


@contextmanager
def _shown() -> Iterator[OnCopied]:
    """A bar while pages are copied, where somebody is looking."""
    console = Console(stderr=True)
    columns = (TextColumn("copying"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        bar = progress.add_task("copying", total=None)
        yield lambda done, pages: progress.update(bar, completed=done * PAGE_BYTES, total=pages * PAGE_BYTES)
