"""`hookledger token`: who may publish, and who may ask."""

from __future__ import annotations

import click

from core.commands.completing import complete_token
from core.commands.desk import Desk, print_json, say
from core.epilog import epilog
from core.ledger.store import Place
from core.model.token import PREFIX, TOKEN_ROLES
from core.operations import tokens
from core.options import CheckUrlAllowing, json_option, key_option, place_option
from core.printing import print_table


@click.group()
def token() -> None:
    """Say who may publish, and who may ask: make tokens, list and revoke them."""


@token.command(
    "create",
    epilog=epilog(
        "hookledger token create --role portal",
        "hookledger token create --role admin --user anna",
        then=["hookledger token list"],
    ),
)
@click.option("--role", required=True, type=click.Choice(TOKEN_ROLES), help="portal: publishes, and does nothing else.")
@click.option("--user", metavar="ID", help="The person it speaks for; all roles but portal need one.")
@click.option("--tenant", default="1", show_default=True, metavar="ID", help="The portal it is for.")
@key_option
@place_option
@json_option
@click.pass_obj
def create_token(
    allowing: CheckUrlAllowing,
    role: str,
    user: str | None,
    tenant: str,
    key: str | None,
    place: Place,
    as_json: bool,
) -> None:
    """Make a token. It is printed this once; only its hash is kept.

    Only `portal` tokens lead anywhere yet: the others are for the API of persons, which is still to come.
    """
    made = Desk(allowing, place).ask(tokens.CREATE, tokens.CreateToken(role, user, tenant), key)
    if as_json:
        print_json(made)
    elif made.token is not None:
        click.echo(made.token)
        click.echo(f"This is token {made.id}. It is not shown again.", err=True)
    say((), made.note)


@token.command("list", epilog=epilog("hookledger token list", then=["hookledger token revoke ID"]))
@click.option("--tenant", metavar="T", help="Only of this tenant.")
@place_option
@json_option
@click.pass_obj
def list_tokens(allowing: CheckUrlAllowing, tenant: str | None, place: Place, as_json: bool) -> None:
    """List all tokens there ever were, the oldest first; never the tokens themselves."""
    found = Desk(allowing, place).ask(tokens.LIST, tokens.ListTokens(tenant))
    if as_json:
        print_json(found)
        return
    print_table(
        ("id", "tenant", "role", "user", "state", "created"),
        [
            (one.id, one.tenant, one.role, one.user or "", "revoked" if one.revoked else "enabled", one.created_at)
            for one in found
        ],
    )


@token.command(
    "revoke",
    epilog=epilog(
        "hookledger token revoke 01a20cee11564b406ab18f0b39000002", then=["hookledger token create --role portal"]
    ),
)
@click.argument("ids", metavar="ID...", nargs=-1, required=True, shell_complete=complete_token)
@key_option
@place_option
@json_option
@click.pass_obj
def revoke_tokens(
    allowing: CheckUrlAllowing, ids: tuple[str, ...], key: str | None, place: Place, as_json: bool
) -> None:
    """Revoke tokens for good, all or none: from here on they are answered 401."""
    # Who revokes a token because it leaked may have nothing but the token itself.
    named = tuple(id.removeprefix(PREFIX).partition(".")[0] for id in ids)
    done = Desk(allowing, place).ask(tokens.REVOKE, tokens.RevokeTokens(named), key)
    if as_json:
        print_json(done)
        return
    for one in done:
        click.echo(f"token {one.id} is revoked{'' if one.is_changed else ' already'}")
