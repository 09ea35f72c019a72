"""The options that say which deliveries are meant, the same wherever deliveries are."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import wraps
from typing import Any, get_args

import click

from core.clock import SystemClock, from_iso
from core.commands.completing import complete_trigger, complete_webhook
from core.commands.number import DELIVERY, WEBHOOK
from core.duration import written
from core.model.delivery import State
from core.operations.selection import Selection

DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


class _When(click.ParamType[int]):
    """A point in time, in milliseconds: RFC 3339, a date for its midnight in UTC, or how long ago."""

    name = "TIME"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        if isinstance(value, int):
            return value
        ago_ms = written(value)
        if ago_ms is not None:
            return SystemClock().now_ms() - ago_ms
        try:
            return from_iso(f"{value}T00:00:00Z" if DATE.fullmatch(value) else value)
        except (ValueError, OverflowError):
            self.fail(
                f"{value!r} is no time: say one like 2026-11-23T10:00:00Z, a date, or how long ago, like 90s, 2h, 3d",
                param,
                ctx,
            )


WHEN = _When()
OPTIONS = (
    click.option(
        "--webhook", type=WEBHOOK, metavar="ID", shell_complete=complete_webhook, help="Only to this webhook."
    ),
    click.option("--tenant", metavar="T", help="Only of this tenant."),
    click.option(
        "--trigger", metavar="NAME", shell_complete=complete_trigger, help="Only of this trigger, like file.created."
    ),
    click.option(
        "--state",
        "states",
        multiple=True,
        type=click.Choice(get_args(State)),
        help="Only in this state; several may be given.",
    ),
    click.option(
        "--status",
        "statuses",
        multiple=True,
        metavar="STATUS",
        help="Only those whose last attempt was answered so: 404, 4xx, or none for no answer; several may be given.",
    ),
    click.option("--target", metavar="ID", help="Only what is about the entity of this id."),
    click.option("--event", metavar="ID", help="Only of the portal event that the portal calls so."),
    click.option(
        "--since",
        "since_ms",
        type=WHEN,
        help="Only those created from then on: RFC 3339, a date for its midnight in UTC, or 2h, 3d ago.",
    ),
    click.option("--until", "until_ms", type=WHEN, help="Only those created up to then; a date is its first moment."),
    click.option(
        "--text",
        metavar="TEXT",
        help="Only those that have it in the event's id, a title or name sent, why an attempt failed, or the webhook's"
        " name or URL; or as an entity's id. It looks at one after the other, so it takes longest.",
    ),
    click.option("--before", type=DELIVERY, metavar="ID", help="Only those with smaller numbers: the next page."),
)


def selection_options(command: Callable[..., None]) -> Callable[..., None]:
    """The options that filter; the command is given them as one `selection`."""

    @wraps(command)
    def selected(**given: Any) -> None:
        said = {name: given.pop(name) for name in Selection.__struct_fields__}
        command(selection=Selection(**said), **given)

    for option in reversed(OPTIONS):
        selected = option(selected)
    return selected
