"""`hookledger deliveries redeliver`: send again what was sent, or could not be."""

from __future__ import annotations

import secrets
import sys
from collections import Counter
from collections.abc import Sequence
from typing import Any

import click
import msgspec

from core.again import Again
from core.command_key import check_key
from core.commands.desk import Desk, print_json, say
from core.commands.number import DELIVERY
from core.commands.selection import selection_options
from core.epilog import epilog
from core.ledger.store import Place
from core.limits import REDELIVER_MAX
from core.operations.redelivery import REDELIVER, Redeliver
from core.operations.selection import Selection
from core.options import CheckUrlAllowing, json_option, key_option, place_option
from core.printing import console, many, print_table

FIRST = 5
"""Of many, so many are shown."""
DELIVERIES = ("delivery", "deliveries")


class Summary(msgspec.Struct):
    """What became of all that was asked for; as `--json` prints it. `before`: only deliveries with smaller numbers were
    meant, and saying that again means the same."""

    dry_run: bool
    before: int | None = None
    redelivered: list[Again] = []
    refused: list[Again] = []

    def add(self, told: Sequence[Again]) -> None:
        self.redelivered += [one for one in told if one.why is None]
        self.refused += [one for one in told if one.why is not None]


@click.command(
    "redeliver",
    epilog=epilog(
        "hookledger deliveries redeliver 36 41",
        "hookledger deliveries redeliver --webhook 7 --state failed --since 2h --dry-run",
        then=["hookledger deliveries list --state pending", "hookledger deliveries show ID"],
    ),
)
@click.argument("ids", metavar="[ID]...", type=DELIVERY, nargs=-1)
@selection_options
@click.option("--limit", type=click.IntRange(1), help="At most so many, the oldest first.")
@click.option("--dry-run", is_flag=True, help="Only say what would be redelivered.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@key_option
@place_option
@json_option
@click.pass_obj
def redeliver(
    allowing: CheckUrlAllowing,
    ids: tuple[int, ...],
    selection: Selection,
    limit: int | None,
    dry_run: bool,
    yes: bool,
    key: str | None,
    place: Place,
    as_json: bool,
) -> None:
    """Deliver again: those named, or what a filter means, as `deliveries list` has it.

    A redelivery is a new delivery of the old event, to the URL and with the secret that the webhook has now. A filter
    means what has ended, unless it says --state, and nothing that was redelivered already: of that it means the newest
    redelivery. So what broke off can be typed again, with the --before that it names.
    """
    if key is not None:
        check_key(key)
    again = Redelivering(Desk(allowing, place))
    has_selection = selection != Selection()
    if ids and has_selection:
        raise click.UsageError("numbers and filters do not go together: name one or the other")
    if not ids and not has_selection:
        raise click.UsageError("name deliveries by their numbers, or say a filter such as --webhook 3 --state failed")
    if ids and limit is not None:
        raise click.UsageError("--limit goes with a filter")
    if ids:
        summary = again.named(ids, secrets.token_hex(16) if key is None else key, is_trial=dry_run)
    else:
        summary = Summary(True)
        if dry_run or not yes:
            summary = again.selected(selection, limit, is_trial=True)
            selection = msgspec.structs.replace(selection, before=summary.before)
        if not dry_run:
            if not yes and not _is_confirmed(summary, as_json):
                return
            summary = again.selected(selection, limit, total=len(summary.redelivered) or None)
    if as_json:
        print_json(summary)
    else:
        _print(summary, is_each=bool(ids))
    if summary.refused and not dry_run:
        sys.exit(1)


class Redelivering:
    """Asks until all is made: each question makes so many."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def named(self, ids: Sequence[int], ticket: str, *, is_trial: bool) -> Summary:
        summary = Summary(is_trial)
        distinct = list(dict.fromkeys(ids))
        for start in range(0, len(distinct), REDELIVER_MAX):
            some = tuple(distinct[start : start + REDELIVER_MAX])
            asked = Redeliver(ids=some, ticket=ticket, is_trial=is_trial)
            summary.add(self._desk.ask(REDELIVER, asked).told)
        return summary

    def selected(
        self, selection: Selection, limit: int | None, *, is_trial: bool = False, total: int | None = None
    ) -> Summary:
        from rich.progress import Progress

        summary = Summary(is_trial)
        after: int | None = 0
        shown = console(sys.stderr)
        with Progress(console=shown, transient=True, disable=not shown.is_terminal) as progress:
            task = progress.add_task("looking" if is_trial else "redelivering", total=total)
            while after is not None and (limit is None or limit > 0):
                some = REDELIVER_MAX if limit is None else min(limit, REDELIVER_MAX)
                asked = Redeliver(selection=selection, after=after, limit=some, is_trial=is_trial)
                answer = self._desk.ask(REDELIVER, asked)
                summary.add(answer.told)
                progress.advance(task, len(answer.told))
                summary.before, after = answer.before, answer.looked_to
                selection = msgspec.structs.replace(selection, before=answer.before)
                if limit is not None:
                    limit -= len(answer.told)
        return summary


def _is_confirmed(summary: Summary, as_json: bool) -> bool:
    count = len(summary.redelivered)
    if not sys.stdin.isatty():
        are = "is" if count == 1 else "are"
        raise click.UsageError(
            f"{many(count, *DELIVERIES)} {are} meant: say --yes to redeliver, or --dry-run to see which"
        )
    _print(summary, is_each=False, err=as_json)
    return bool(count) and click.confirm(f"Redeliver {many(count, *DELIVERIES)}?", err=True)


def _print(summary: Summary, *, is_each: bool, err: bool = False) -> None:
    """Each by itself; or, of many, how many, to whom, and the first few."""
    file: Any = sys.stderr if err else sys.stdout
    made, refused = summary.redelivered, summary.refused
    if is_each:
        rows = [(str(one.of), _number(one.webhook), _number(one.number), one.why or "") for one in (*made, *refused)]
        print_table(("delivery", "webhook", "redelivery", "why not"), rows, file)
        return
    click.echo(
        f"{many(len(made), *DELIVERIES)} {'would be redelivered' if summary.dry_run else 'redelivered'}", file=file
    )
    by_webhook = Counter(one.webhook for one in made)
    for webhook, count in by_webhook.most_common(FIRST):
        of = [one for one in made if one.webhook == webhook][:FIRST]
        click.echo(f"  {count} to webhook {webhook}: {_list([_pair(one) for one in of], count)}", file=file)
    if len(by_webhook) > FIRST:
        click.echo(f"  and others to {len(by_webhook) - FIRST} more webhooks", file=file)
    if refused:
        click.echo(
            f"{many(len(refused), *DELIVERIES)} {'would be refused' if summary.dry_run else 'refused'}", file=file
        )
        by_reason = Counter(one.why for one in refused)
        for why, count in by_reason.most_common(FIRST):
            of = [one for one in refused if one.why == why][:FIRST]
            click.echo(f"  {count}: {why}: {_list([str(one.of) for one in of], count)}", file=file)
    if summary.before is not None:
        say((), f"looked for before number {summary.before}; with --before {summary.before} the same are meant again")


def _pair(one: Again) -> str:
    return str(one.of) if one.number is None else f"{one.of} as {one.number}"


def _list(shown: list[str], count: int) -> str:
    return ", ".join(shown) + (", …" if count > len(shown) else "")


def _number(number: int | None) -> str:
    return "" if number is None else str(number)
