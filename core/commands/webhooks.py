"""`hookledger webhooks`: who is told what."""

from __future__ import annotations

import click

from core.commands.completing import complete_trigger, complete_webhook
from core.commands.desk import Desk, print_json, say
from core.commands.number import WEBHOOK
from core.commands.secret import secret_option
from core.commands.webhook_changes import change_webhook, delete_webhooks, disable_webhooks, enable_webhooks
from core.commands.webhook_words import SCHEDULE, in_words, label, print_secret, state_of
from core.epilog import epilog
from core.ledger.store import Place
from core.operations import webhooks
from core.options import CheckUrlAllowing, json_option, key_option, place_option, setting_option
from core.printing import print_facts, print_table
from core.setting_kinds import Network


@click.group("webhooks", commands=[change_webhook, enable_webhooks, disable_webhooks, delete_webhooks])
def webhooks_group() -> None:
    """Say who is told what: make webhooks, look at them, change them."""


@webhooks_group.command(
    "create",
    epilog=epilog(
        "hookledger webhooks create mine https://example.com/hook",
        "hookledger webhooks create forms https://example.com/forms --trigger form.submit --owner anna",
        then=["hookledger token create --role portal", "hookledger deliveries list"],
    ),
)
@click.argument("name")
@click.argument("url")
@click.option(
    "--trigger",
    "triggers",
    multiple=True,
    metavar="T",
    shell_complete=complete_trigger,
    help="Several may be given; none: everything.",
)
@click.option("--target", metavar="ID", help="Only what happens to this one entity.")
@click.option("--owner", metavar="USER", help="Whose rights are its limit; nobody: it belongs to the portal itself.")
@click.option("--tenant", default="1", show_default=True, metavar="T", help="The portal it belongs to.")
@secret_option("A line of standard input; without it, we make one.")
@click.option("--no-ssl", is_flag=True, help="Allow http, and any certificate.")
@click.option("--schedule", "schedule_s", type=SCHEDULE, help="Seconds before each retry; `none`: no retries.")
@click.option("--disabled", is_flag=True, help="Create it without switching it on.")
@setting_option("allow_target", "A private network it may lead to; a running `serve` has its own list.")
@key_option
@place_option
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
    schedule_s: tuple[int, ...] | None,
    disabled: bool,
    allow_target: tuple[Network, ...],
    key: str | None,
    place: Place,
    as_json: bool,
) -> None:
    """Make a webhook. It hears of every event that is accepted from here on, if its owner may know of it."""
    asked = webhooks.CreateWebhook(
        name, url, triggers, target, owner, tenant, secret, not no_ssl, not disabled, schedule_s
    )
    made = Desk(allowing, place, allow_target).ask(webhooks.CREATE, asked, key)
    if as_json:
        print_json(made)
    else:
        print_secret([("webhook", str(made.id)), ("name", made.name), ("url", made.url)], made.verifier, made.secret)
    say(made.warnings, made.note)


@webhooks_group.command("list", epilog=epilog("hookledger webhooks list", then=["hookledger webhooks show ID"]))
@click.option("--tenant", metavar="T", help="Only of this tenant.")
@place_option
@json_option
@click.pass_obj
def list_webhooks(allowing: CheckUrlAllowing, tenant: str | None, place: Place, as_json: bool) -> None:
    """List all webhooks, by their numbers."""
    found = Desk(allowing, place).ask(webhooks.LIST, webhooks.ListWebhooks(tenant))
    if as_json:
        print_json(found)
        return
    columns = ("id", "tenant", "name", "state", "triggers", "target", "owner", "url")
    print_table(
        columns,
        [
            (
                str(one.id),
                one.tenant,
                one.name,
                state_of(one),
                in_words("triggers", one.triggers),
                one.target or "",
                one.owner or "",
                one.url,
            )
            for one in found
        ],
    )


@webhooks_group.command(
    "show",
    epilog=epilog(
        "hookledger webhooks show 7",
        then=["hookledger webhooks change 7 --url URL", "hookledger deliveries list --webhook 7"],
    ),
)
@click.argument("id", type=WEBHOOK, shell_complete=complete_webhook)
@place_option
@json_option
@click.pass_obj
def show_webhook(allowing: CheckUrlAllowing, id: int, place: Place, as_json: bool) -> None:
    """Show all that one webhook was told to be."""
    one = Desk(allowing, place).ask(webhooks.SHOW, webhooks.ShowWebhook(id))
    if as_json:
        print_json(one)
        return
    fields = ("triggers", "target", "owner", "ssl", "schedule_s")
    print_facts(
        [
            ("webhook", str(one.id)),
            ("name", one.name),
            ("tenant", one.tenant),
            ("url", one.url),
            ("state", state_of(one)),
            *((label(field), in_words(field, getattr(one, field))) for field in fields),
            ("created", _when(one.created_at, one.created_by)),
            ("modified", "never" if one.modified_at is None else _when(one.modified_at, one.modified_by)),
        ]
    )


def _when(at: str, by: str | None) -> str:
    return at if by is None else f"{at} by {by}"
