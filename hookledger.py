"""The door: what plugin authors import, and the command. It defines nothing itself."""

from __future__ import annotations

from collections.abc import Sequence

from core.hookspecs import hookimpl
from core.trigger import (
    Change,
    Directory,
    Owner,
    Person,
    PortalEvent,
    Reading,
    RemoveGroup,
    RemovePerson,
    Role,
    SetGroup,
    SetPerson,
    Status,
    Trigger,
    Unreadable,
)

__all__ = [
    "Change",
    "Directory",
    "Owner",
    "Person",
    "PortalEvent",
    "Reading",
    "RemoveGroup",
    "RemovePerson",
    "Role",
    "SetGroup",
    "SetPerson",
    "Status",
    "Trigger",
    "Unreadable",
    "hookimpl",
]


def main(args: Sequence[str] | None = None) -> None:
    """Run one command and exit: 0 it is done, 1 it could not be, 2 it was said wrongly. None: the process's words."""
    import sys

    import click

    from core.commands.table import commands as for_people
    from core.errors import HookledgerError, InvalidInputError
    from delivery.commands import commands as for_receivers
    from delivery.serve import serve
    from delivery.service import url_check_allowing

    door = click.Group(
        "hookledger",
        commands=[serve, *for_people, *for_receivers],
        help="Webhooks for portals: signed, retried, and every one of them remembered.",
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    door = click.version_option(package_name="hookledger")(door)
    try:
        door.main(args, prog_name="hookledger", obj=url_check_allowing)
    except HookledgerError as error:
        click.echo(f"hookledger: {error}", err=True)
        sys.exit(2 if isinstance(error, InvalidInputError) else 1)


if __name__ == "__main__":
    main()
