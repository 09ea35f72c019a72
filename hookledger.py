"""The door: what plugin authors import, and the command. It defines nothing itself."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

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

if TYPE_CHECKING:
    from core.check_url import CheckUrl
    from core.setting_kinds import Network

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
    from core.commands.door import run
    from core.commands.table import COMMANDS as FOR_PEOPLE
    from delivery.commands import COMMANDS as FOR_RECEIVERS

    def allowing(allow: Sequence[Network]) -> CheckUrl:
        from delivery.url_check import url_check_allowing

        return url_check_allowing(allow)

    run(args, {**FOR_PEOPLE, **FOR_RECEIVERS}, allowing)


if __name__ == "__main__":
    main()
