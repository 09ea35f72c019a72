"""`hookledger webhooks change`, `enable`, `disable` and `delete`: what was said of webhooks, said otherwise."""

from __future__ import annotations

import sys
from typing import Any

import click

from core.commands.completing import complete_trigger, complete_webhook
from core.commands.desk import Desk, print_json, say
from core.commands.number import WEBHOOK
from core.commands.secret import secret_option
from core.commands.webhook_words import SCHEDULE, in_words, label, print_secret
from core.epilog import epilog
from core.errors import HookledgerError
from core.ledger.store import Place
from core.limits import LIST_MAX
from core.operations import webhook_changes, webhooks
from core.options import CheckUrlAllowing, json_option, key_option, place_option, setting_option
from core.printing import plain
from core.setting_kinds import Network

ids_argument = click.argument(
    "ids", metavar="ID...", type=WEBHOOK, nargs=-1, required=True, shell_complete=complete_webhook
)


@click.command(
    "change",
    epilog=epilog(
        "hookledger webhooks change 7 --url https://example.com/new",
        "hookledger webhooks change 7 --trigger file.created --trigger file.updated --schedule 5,60,300",
        "hookledger webhooks change 7 --new-secret",
        then=["hookledger webhooks show 7"],
    ),
)
@click.argument("id", type=WEBHOOK, shell_complete=complete_webhook)
@click.option("--name", metavar="NAME", help="What people call it.")
@click.option("--url", metavar="URL", help="Where it leads.")
@click.option(
    "--trigger",
    "triggers",
    multiple=True,
    metavar="T",
    shell_complete=complete_trigger,
    help="These instead of those it has; several may be given.",
)
@click.option("--all-triggers", is_flag=True, help="Everything.")
@click.option("--target", metavar="ID", help="Only what happens to this one entity.")
@click.option("--no-target", is_flag=True, help="Whatever it happens to.")
@click.option("--owner", metavar="USER", help="Whose rights are its limit.")
@click.option("--no-owner", is_flag=True, help="It belongs to the portal itself.")
@secret_option("Another secret: a line of standard input.")
@click.option("--new-secret", is_flag=True, help="Another secret, which we make.")
@click.option("--ssl/--no-ssl", default=None, help="Only https and a good certificate, or http and any as well.")
@click.option("--schedule", "schedule_s", type=SCHEDULE, help="Seconds before each retry; `none`: no retries.")
@click.option("--default-schedule", is_flag=True, help="The service's own schedule.")
@setting_option("allow_target", "A private network it may lead to; a running `serve` has its own list.")
@key_option
@place_option
@json_option
@click.pass_obj
def change_webhook(
    allowing: CheckUrlAllowing,
    /,
    id: int,
    allow_target: tuple[Network, ...],
    key: str | None,
    place: Place,
    as_json: bool,
    **said: Any,
) -> None:
    """Change a webhook. What waits to be sent goes by the new words too."""
    wanted = _wanted(said)
    if not wanted:
        raise click.UsageError("say what to change")
    changed = Desk(allowing, place, allow_target).ask(
        webhook_changes.CHANGE, webhook_changes.ChangeWebhook(id=id, **wanted), key
    )
    if as_json:
        print_json(changed)
    elif changed.changes or changed.is_secret_reset:
        facts = [("webhook", f"{changed.id} {changed.name}")]
        facts += [(label(one.field), _from_to(one)) for one in changed.changes]
        if changed.is_secret_reset and changed.secret is None:
            facts.append(("secret", "was reset"))
        print_secret(facts, changed.verifier, changed.secret)
    else:
        click.echo(f"Webhook {changed.id} is so already: nothing is recorded.")
    say(changed.warnings, changed.note)


EITHER = (
    ("triggers", "--trigger", "all_triggers", ()),
    ("target", "--target", "no_target", None),
    ("owner", "--owner", "no_owner", None),
    ("secret", "--secret", "new_secret", None),
    ("schedule_s", "--schedule", "default_schedule", None),
)
"""A field, the option that says what it is, the flag that says it is something special, and what that is."""


def _from_to(one: webhook_changes.FieldChange) -> str:
    return f"{in_words(one.field, one.before)} → {in_words(one.field, one.after)}"


def _wanted(said: dict[str, Any]) -> dict[str, Any]:
    """The fields that were said, as the operation takes them."""
    wanted = {field: said[field] for field in ("name", "url", "ssl") if said[field] is not None}
    for field, option, flag, special in EITHER:
        is_said = bool(said[field]) if field == "triggers" else said[field] is not None
        if is_said and said[flag]:
            raise click.UsageError(f"say {option} or --{flag.replace('_', '-')}, not both")
        if is_said:
            wanted[field] = said[field]
        elif said[flag]:
            wanted[field] = special
    return wanted


@click.command(
    "enable",
    epilog=epilog("hookledger webhooks enable 7", then=["hookledger deliveries list --webhook 7"]),
)
@ids_argument
@key_option
@place_option
@json_option
@click.pass_obj
def enable_webhooks(
    allowing: CheckUrlAllowing, ids: tuple[int, ...], key: str | None, place: Place, as_json: bool
) -> None:
    """Enable webhooks, all or none. They hear of every event that is accepted from here on."""
    done = Desk(allowing, place).ask(webhook_changes.ENABLE, webhook_changes.EnableWebhooks(ids), key)
    if as_json:
        print_json(done)
        return
    for one in done:
        click.echo(_line(one, "enabled", _lost(one)))
    if any(one.is_changed for one in done):
        click.echo("What happened while they were disabled is not sent.", err=True)


@click.command(
    "disable",
    epilog=epilog("hookledger webhooks disable 7", then=["hookledger webhooks enable 7"]),
)
@ids_argument
@key_option
@place_option
@json_option
@click.pass_obj
def disable_webhooks(
    allowing: CheckUrlAllowing, ids: tuple[int, ...], key: str | None, place: Place, as_json: bool
) -> None:
    """Disable webhooks, all or none. Nothing is sent to them, and what waits for them is cancelled."""
    done = Desk(allowing, place).ask(webhook_changes.DISABLE, webhook_changes.DisableWebhooks(ids), key)
    if as_json:
        print_json(done)
        return
    for one in done:
        click.echo(_line(one, "disabled", _cancelling(one)))


@click.command(
    "delete",
    epilog=epilog("hookledger webhooks delete 7", then=["hookledger deliveries list --webhook 7"]),
)
@ids_argument
@click.option("--yes", is_flag=True, help="Do not ask; needed where nobody could answer.")
@key_option
@place_option
@json_option
@click.pass_obj
def delete_webhooks(
    allowing: CheckUrlAllowing, ids: tuple[int, ...], yes: bool, key: str | None, place: Place, as_json: bool
) -> None:
    """Delete webhooks for good, all or none. Their history stays."""
    desk = Desk(allowing, place)
    if not yes:
        _ask_first(desk, ids)
    done = desk.ask(webhook_changes.DELETE, webhook_changes.DeleteWebhooks(ids), key)
    if as_json:
        print_json(done)
        return
    for one in done:
        click.echo(_line(one, "deleted", _cancelling(one)))


def _ask_first(desk: Desk, ids: tuple[int, ...]) -> None:
    if not sys.stdin.isatty():
        raise click.UsageError("nobody is here to ask: say --yes as well")
    for id in ids:
        one = desk.ask(webhooks.SHOW, webhooks.ShowWebhook(id))
        click.echo(plain(f"webhook {one.id}  {one.name}  {one.url}"), err=True)
    if not click.confirm("Delete for good?", err=True):
        raise HookledgerError("nothing was deleted")


def _line(one: webhook_changes.SwitchedWebhook, done: str, more: str) -> str:
    was = "" if one.is_changed else " already"
    return plain(f"webhook {one.id} {one.name} is {done}{was}{more}")


def _lost(one: webhook_changes.SwitchedWebhook) -> str:
    """What became of its deliveries while it was disabled."""
    more = ""
    if one.cancelled:
        least = " or more" if one.cancelled == LIST_MAX else ""
        more += (
            f"; {_were(one.cancelled, least)} cancelled meanwhile, and {'stays' if one.cancelled == 1 else 'stay'} so"
        )
    if one.waiting:
        more += f"; {_were(one.waiting)} not cancelled yet, and {'is' if one.waiting == 1 else 'are'} sent after all"
    return more


def _cancelling(one: webhook_changes.SwitchedWebhook) -> str:
    if not one.waiting:
        return ""
    return f"; {_were(one.waiting)} still waiting, and {'is' if one.waiting == 1 else 'are'} cancelled"


def _were(deliveries: int, least: str = "") -> str:
    return "1 delivery was" if deliveries == 1 else f"{deliveries}{least} deliveries were"
