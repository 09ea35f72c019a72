"""`hookledger webhooks`: who is told what."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from core.commands.desk import Desk, print_json
from core.operations import webhooks
from core.options import CheckUrlAllowing, data_option, json_option, setting_option
from core.printing import print_facts, print_table
from core.settings import Network


@click.group("webhooks")
def webhooks_group() -> None:
    """Who is told what."""


def _secret(_: click.Context, __: click.Parameter, value: str | None) -> str | None:
    """The secret from standard input: arguments are for everybody on the machine to read."""
    if value is None:
        return None
    if value != "-":
        raise click.BadParameter("a secret is never an argument: say `--secret -` and give it on standard input")
    if sys.stdin.isatty():
        return str(click.prompt("secret", hide_input=True, err=True))
    return sys.stdin.readline().rstrip("\r\n")


@webhooks_group.command("create")
@click.argument("name")
@click.argument("url")
@click.option("--trigger", "triggers", multiple=True, metavar="T", help="Several may be given; none: everything.")
@click.option("--target", metavar="ID", help="Only what happens to this one entity.")
@click.option("--owner", metavar="USER", help="Whose rights are its limit; nobody: it belongs to the portal itself.")
@click.option("--tenant", default="1", show_default=True, metavar="T", help="The portal it belongs to.")
@click.option("--secret", metavar="-", callback=_secret, help="A line of standard input; without it, we make one.")
@click.option("--no-ssl", is_flag=True, help="Allow http, and any certificate.")
@click.option("--disabled", is_flag=True, help="Create it without switching it on.")
@setting_option("allow_target", "A private network it may lead to; a running `serve` has its own list.")
@data_option
@json_option
@click.pass_obj
def create_webhook(
    allowing: CheckUrlAllowing,
    name: str,
    url: str,
    triggers: tuple[str, ...],
    target: str | None,
    owner: str | None,
    tenant: str,
    secret: str | None,
    no_ssl: bool,
    disabled: bool,
    allow_target: tuple[Network, ...],
    data: Path,
    as_json: bool,
) -> None:
    """Make a webhook. It hears of every event that is accepted from here on, if its owner may know of it."""
    asked = webhooks.CreateWebhook(
        name, url, triggers, target, owner, tenant, secret, ssl=not no_ssl, enabled=not disabled
    )
    made = Desk(allowing, data, allow_target).ask(webhooks.CREATE, asked)
    if as_json:
        print_json(made)
        return
    facts = [("webhook", str(made.id)), ("name", made.name), ("url", made.url)]
    if made.secret is not None:
        facts.append(("secret", made.secret))
    if made.secret != made.verifier:
        facts.append(("verifier", made.verifier))
    print_facts(facts)
    click.echo("What verifies its signatures is not shown again.", err=True)


@webhooks_group.command("list")
@click.option("--tenant", metavar="T", help="Only of this tenant.")
@data_option
@json_option
@click.pass_obj
def list_webhooks(allowing: CheckUrlAllowing, tenant: str | None, data: Path, as_json: bool) -> None:
    """All webhooks."""
    found = Desk(allowing, data).ask(webhooks.LIST, webhooks.ListWebhooks(tenant))
    if as_json:
        print_json(found)
        return
    columns = ("id", "tenant", "name", "state", "triggers", "target", "owner", "url")
    print_table(
        columns,
        [
            (str(one.id), one.tenant, one.name, _state(one), _triggers(one), one.target or "", one.owner or "", one.url)
            for one in found
        ],
    )


@webhooks_group.command("show")
@click.argument("id", type=int)
@data_option
@json_option
@click.pass_obj
def show_webhook(allowing: CheckUrlAllowing, id: int, data: Path, as_json: bool) -> None:
    """One webhook."""
    one = Desk(allowing, data).ask(webhooks.SHOW, webhooks.ShowWebhook(id))
    if as_json:
        print_json(one)
        return
    print_facts(
        [
            ("webhook", str(one.id)),
            ("name", one.name),
            ("tenant", one.tenant),
            ("url", one.url),
            ("state", _state(one)),
            ("triggers", _triggers(one)),
            ("target", one.target or "any"),
            ("owner", one.owner or "the portal itself"),
            ("ssl", "https, certificate checked" if one.ssl else "http or https, any certificate"),
            ("created", _when(one.created_at, one.created_by)),
            ("modified", "never" if one.modified_at is None else _when(one.modified_at, one.modified_by)),
        ]
    )


def _state(one: webhooks.WebhookShown) -> str:
    if one.enabled:
        return "enabled"
    return f"disabled ({one.disabled_reason})" if one.disabled_reason not in (None, "person") else "disabled"


def _triggers(one: webhooks.WebhookShown) -> str:
    return ", ".join(one.triggers) or "everything"


def _when(at: str, by: str | None) -> str:
    return at if by is None else f"{at} by {by}"
