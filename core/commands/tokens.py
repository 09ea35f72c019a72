"""`hookledger token`: who may publish, and who may ask."""

from __future__ import annotations

from pathlib import Path

import click

from core.commands.desk import Desk, print_json
from core.model.token import TOKEN_ROLES
from core.operations import tokens
from core.options import CheckUrlAllowing, data_option, json_option


@click.group()
def token() -> None:
    """Who may publish, and who may ask."""


@token.command("create")
@click.option("--role", required=True, type=click.Choice(TOKEN_ROLES), help="portal: publishes, and does nothing else.")
@click.option("--user", metavar="ID", help="The person it speaks for; all roles but portal need one.")
@click.option("--tenant", default="1", show_default=True, metavar="ID", help="The portal it is for.")
@data_option
@json_option
@click.pass_obj
def create_token(
    allowing: CheckUrlAllowing, role: str, user: str | None, tenant: str, data: Path, as_json: bool
) -> None:
    """Make a token. It is printed this once; only its hash is kept."""
    made = Desk(allowing, data).ask(tokens.CREATE, tokens.CreateToken(role, user, tenant))
    if as_json:
        print_json(made)
        return
    click.echo(made.token)
    click.echo(f"This is token {made.id}. It is not shown again.", err=True)
