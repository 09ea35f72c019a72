"""`hookledger deliveries`: what was sent, and how it went."""

from __future__ import annotations

from pathlib import Path

import click
from rich.console import Console

from core.commands.completing import complete_webhook
from core.commands.desk import Desk, print_json
from core.epilog import epilog
from core.limits import LIST_MAX
from core.operations import deliveries
from core.options import CheckUrlAllowing, data_option, json_option
from core.printing import print_table
from core.story_lines import print_story


@click.group("deliveries")
def deliveries_group() -> None:
    """What was sent, and how it went."""


@deliveries_group.command(
    "list",
    epilog=epilog("hookledger deliveries list --webhook 7 --limit 50", then=["hookledger deliveries show ID"]),
)
@click.option("--webhook", type=int, metavar="ID", shell_complete=complete_webhook, help="Only to this webhook.")
@click.option("--tenant", metavar="T", help="Only of this tenant.")
@click.option("--before", type=int, metavar="ID", help="Only those with smaller numbers: the next page.")
@click.option("--limit", default=20, show_default=True, type=click.IntRange(1, LIST_MAX), help="At most so many.")
@data_option
@json_option
@click.pass_obj
def list_deliveries(
    allowing: CheckUrlAllowing,
    webhook: int | None,
    tenant: str | None,
    before: int | None,
    limit: int,
    data: Path,
    as_json: bool,
) -> None:
    """Deliveries, newest first."""
    asked = deliveries.ListDeliveries(webhook, tenant, before, limit)
    found = Desk(allowing, data).ask(deliveries.LIST, asked)
    if as_json:
        print_json(found)
        return
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
                one.next_at or "",
            )
            for one in found
        ],
    )


@deliveries_group.command("show", epilog=epilog("hookledger deliveries show 36", then=["hookledger webhooks show ID"]))
@click.argument("id", type=int)
@data_option
@json_option
@click.pass_obj
def show_delivery(allowing: CheckUrlAllowing, id: int, data: Path, as_json: bool) -> None:
    """The whole story of one delivery: its event, each request as it was sent, each answer, and the times between."""
    told = Desk(allowing, data).ask(deliveries.SHOW, deliveries.ShowDelivery(id))
    if as_json:
        print_json(told)
    else:
        print_story(Console(highlight=False), told)
