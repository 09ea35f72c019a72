"""`hookledger triggers`: the catalogue of what one can subscribe to, and what each trigger looks like."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from difflib import get_close_matches
from uuid import UUID

import click
import msgspec

from core.catalogue import RegisteredTrigger
from core.clock import SystemClock
from core.commands.completing import complete_trigger
from core.commands.desk import print_json
from core.epilog import epilog
from core.errors import NotFoundError
from core.example import body_of, event_of, schemas_of
from core.loading import Loader
from core.options import json_option
from core.plugins import Plugins
from core.printing import print_facts, print_table
from core.randomness import Randomness
from core.trigger import ROLES


class TriggerShown(msgspec.Struct, frozen=True):
    """`bit` None: receivers get no `triggerId`. `changes_directory`: its events say who is who."""

    name: str
    bit: int | None
    roles: tuple[str, ...]
    plugin: str
    version: str
    changes_directory: bool
    samples: int


@click.command(
    epilog=epilog(
        "hookledger triggers",
        "hookledger triggers file.created --sample",
        then=["hookledger webhooks create NAME URL --trigger file.created"],
    )
)
@click.argument("name", required=False, shell_complete=complete_trigger)
@click.option("--schema", is_flag=True, help="JSON Schemas: of what a portal sends as data, of what receivers get.")
@click.option("--sample", is_flag=True, help="An event for `hookledger publish -`; and what a receiver gets of it.")
@json_option
@click.pass_context
def triggers(context: click.Context, name: str | None, schema: bool, sample: bool, as_json: bool) -> None:
    """Show what one can subscribe to, or with NAME all of one trigger.

    A plugin that declares no schema has one derived from its samples, which says so. On a terminal, --sample also
    shows what a receiver gets; with --json, or piped on, it stands apart from the event.
    """
    plugins = _plugins()
    if name is None:
        if schema or sample:
            raise click.UsageError("name the trigger: hookledger triggers NAME --schema", context)
        _list(plugins, as_json)
        return
    if schema and sample and not as_json:
        raise click.UsageError("--schema or --sample; both at once only with --json", context)
    registered = _named(plugins, name)
    now_ms, random = SystemClock().now_ms(), Randomness()
    told: dict[str, object] = {}
    if schema:
        told["schema"] = schemas_of(plugins, registered, now_ms, random)
    if sample:
        event = event_of(registered, str(UUID(bytes=random(16), version=4)), now_ms)
        told |= {"event": event, "received": msgspec.Raw(body_of(plugins, event, now_ms, random))}
    if as_json:
        print_json(told or _shown(registered))
    elif schema:
        click.echo(_indented(told["schema"]))
    elif sample:
        _print_sample(told)
    else:
        _print_one(registered)


def _plugins() -> Plugins:
    """All that can be loaded; the others are named, because their triggers are missing."""
    loaded = Loader().load()
    for name, fault in loaded.faults.items():
        click.echo(f"the triggers of plugin {name!r} are missing: {fault}", err=True)
    return Plugins(*loaded)


def _named(plugins: Plugins, name: str) -> RegisteredTrigger:
    known = plugins.triggers
    if name in known:
        return known[name]
    near = [one for one in known if one.startswith(name)] or get_close_matches(name, known)
    hint = f"what comes near: {', '.join(near)}" if near else "`hookledger triggers` lists all"
    raise NotFoundError(f"no plugin knows the trigger {name!r}; {hint}")


def _list(plugins: Plugins, as_json: bool) -> None:
    found = [_shown(registered) for registered in plugins.triggers.values()]
    if as_json:
        print_json(found)
        return
    columns = ("trigger", "bit", "who may subscribe", "plugin", "says who is who")
    print_table(
        columns,
        [
            (
                one.name,
                "–" if one.bit is None else str(one.bit),
                ", ".join(one.roles),
                one.plugin,
                "yes" if one.changes_directory else "no",
            )
            for one in found
        ],
    )


def _shown(registered: RegisteredTrigger) -> TriggerShown:
    trigger, plugin, version = registered
    # A set has no order of its own.
    roles = tuple(role for role in ROLES if role in trigger.roles)
    return TriggerShown(
        trigger.name, trigger.bit, roles, plugin, version, trigger.changes_directory, len(trigger.samples)
    )


def _print_one(registered: RegisteredTrigger) -> None:
    one = _shown(registered)
    print_facts(
        [
            ("trigger", one.name),
            ("bit", "none: receivers get no triggerId" if one.bit is None else f"{one.bit}: triggerId {1 << one.bit}"),
            ("who may subscribe", ", ".join(one.roles)),
            ("plugin", f"{one.plugin} {one.version}"),
            ("says who is who", "yes" if one.changes_directory else "no"),
            ("samples", f"{one.samples}; --sample shows one" if one.samples else "none"),
        ]
    )


def _print_sample(told: Mapping[str, object]) -> None:
    """One line for the next program, or all of it for people."""
    if not sys.stdout.isatty():
        print_json(told["event"])
        return
    click.echo("What a portal sends:")
    click.echo(_indented(told["event"]))
    click.echo("What a receiver gets:")
    click.echo(_indented(told["received"]))


def _indented(value: object) -> bytes:
    return msgspec.json.format(msgspec.json.encode(value), indent=2)
