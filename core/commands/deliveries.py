"""`hookledger deliveries`: what was sent, how it went, and sending it again."""

from __future__ import annotations

import sys

import click
import msgspec

from core.clock import SystemClock, from_iso
from core.commands.desk import Desk, print_json, say
from core.commands.number import DELIVERY
from core.commands.redeliver import redeliver
from core.commands.selection import selection_options
from core.duration import in_words
from core.epilog import epilog
from core.ledger.store import Place
from core.limits import LIST_MAX
from core.operations import deliveries
from core.operations.selection import Selection
from core.options import CheckUrlAllowing, json_option, place_option
from core.printing import console, print_table


@click.group("deliveries")
def deliveries_group() -> None:
    """What was sent, and how it went."""


@deliveries_group.command(
    "list",
    epilog=epilog(
        "hookledger deliveries list --webhook 7 --limit 50",
        "hookledger deliveries list --state failed --status 5xx --status none --since 2h",
        "hookledger deliveries list --text report.docx --count",
        then=["hookledger deliveries show ID"],
    ),
)
@selection_options
@click.option("--limit", default=20, show_default=True, type=click.IntRange(1, LIST_MAX), help="At most so many.")
@click.option("--count", "is_count", is_flag=True, help="Only say how many there are.")
@place_option
@json_option
@click.pass_obj
def list_deliveries(
    allowing: CheckUrlAllowing, selection: Selection, limit: int, is_count: bool, place: Place, as_json: bool
) -> None:
    """Deliveries, newest first. Those are meant that all filters let through; of one that is given several times, one
    is enough."""
    desk, asked = Desk(allowing, place), msgspec.structs.asdict(selection)
    if is_count:
        counted = desk.ask(deliveries.COUNT, deliveries.CountDeliveries(**asked))
        if as_json:
            print_json(counted)
        else:
            click.echo(counted.count if counted.looked_to is None else f"at least {counted.count}")
        _say_how_far(counted.looked_to, "counted")
        _say_what_is_missing(counted.behind)
        return
    found = desk.ask(deliveries.LIST, deliveries.ListDeliveries(**asked, limit=limit))
    if as_json:
        print_json(found.deliveries)
    elif sys.stdout.isatty():
        _print_for_terminal(found.deliveries)
    else:
        _print_plain(found.deliveries)
    if len(found.deliveries) < limit:
        _say_how_far(found.looked_to, "looked at")
    _say_what_is_missing(found.behind)


def _say_how_far(looked_to: int | None, what: str) -> None:
    if looked_to is not None:
        say((), f"only deliveries from {looked_to} on were {what}; go on with --before {looked_to}")


def _say_what_is_missing(behind: int) -> None:
    if behind:
        say((), f"the newest {behind} recorded events are not in this: the views are behind, /health/ready says why")


def _print_plain(found: list[deliveries.DeliveryListed]) -> None:
    columns = ("id", "webhook", "trigger", "state", "attempts", "status", "created", "next attempt")
    print_table(
        columns,
        [
            (
                str(one.id),
                str(one.webhook),
                one.trigger,
                one.state,
                str(one.attempts),
                "" if one.status is None else str(one.status),
                one.created_at,
                _next(one.next_at, one.due_for_ms),
            )
            for one in found
        ],
    )


def _next(at: str | None, due_for_ms: int | None) -> str:
    if at is None:
        return ""
    return at if due_for_ms is None else f"due for {in_words(due_for_ms)}"


def _print_for_terminal(found: list[deliveries.DeliveryListed]) -> None:
    """Narrow enough for 80 characters: how long ago, and how often it was tried with the last answer."""
    now = SystemClock().now_ms()
    columns = ("id", "webhook", "trigger", "state", "attempts", "created", "next attempt")
    rows = []
    for one in found:
        attempts = "" if not one.attempts else f"{one.attempts}× {one.status or 'none'}"
        ago = f"{in_words(max(now - from_iso(one.created_at), 0))} ago"
        following = ""
        if one.next_at is not None:
            due_in = from_iso(one.next_at) - now
            following = f"in {in_words(due_in)}" if due_in > 0 else f"due for {in_words(-due_in)}"
        rows.append((str(one.id), str(one.webhook), one.trigger, one.state, attempts, ago, following))
    print_table(columns, rows)


@deliveries_group.command(
    "show",
    epilog=epilog("hookledger deliveries show 36", then=["hookledger webhooks show ID"]),
)
@click.argument("id", type=DELIVERY)
@place_option
@json_option
@click.pass_obj
def show_delivery(allowing: CheckUrlAllowing, id: int, place: Place, as_json: bool) -> None:
    """The whole story of one delivery: its event, each request as it was sent, each answer, and the times between."""
    from core.operations import delivery_story
    from core.story_lines import print_story

    told = Desk(allowing, place).ask(delivery_story.SHOW, delivery_story.ShowDelivery(id))
    if as_json:
        print_json(told)
    else:
        print_story(console(), told)


deliveries_group.add_command(redeliver)
