"""A webhook's fields in words: as people type them, and as they are shown."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click

from core.model.webhook import DISABLED_BECAUSE
from core.operations.webhooks import WebhookShown
from core.printing import print_facts

NO_RETRIES = "none"


class _ScheduleType(click.ParamType[tuple[int, ...]]):
    name = "schedule"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, ...]:
        if isinstance(value, tuple):
            return value
        if value == NO_RETRIES:
            return ()
        try:
            return tuple(int(wait) for wait in value.split(","))
        except ValueError:
            self.fail(f"write the seconds before each retry like 5,60,300, or `{NO_RETRIES}`", param, ctx)


SCHEDULE = _ScheduleType()


def in_words(field: str, value: Any) -> str:
    """The value of a webhook's field for people."""
    match field:
        case "triggers":
            return ", ".join(value) or "everything"
        case "target":
            return value or "any"
        case "owner":
            return value or "the portal itself"
        case "ssl":
            return "https, certificate checked" if value else "http or https, any certificate"
        case "schedule_s":
            if value is None:
                return "the service's own"
            return f"{', '.join(map(str, value))} s after each failure" if value else "no retries"
    return str(value)


def label(field: str) -> str:
    return field.removesuffix("_s")


def state_of(one: WebhookShown) -> str:
    if one.enabled:
        return "enabled"
    reason = one.disabled_reason
    return "disabled" if reason is None or reason == "person" else f"disabled ({DISABLED_BECAUSE[reason]})"


def print_secret(facts: Sequence[tuple[str, str]], verifier: str | None, secret: str | None) -> None:
    """Facts of a webhook, and its secret the only time that it is shown."""
    shown = list(facts)
    if secret is not None:
        shown.append(("secret", secret))
    if verifier is not None and verifier != secret:
        shown.append(("verifier", verifier))
    print_facts(shown)
    if secret is not None:
        click.echo("Keep the secret: receivers check our signatures with it, and it is not shown again.", err=True)
    elif verifier is not None:
        click.echo(
            "The verifier is your secret as Standard Webhooks libraries take it; it is not shown again.", err=True
        )
