"""What several commands have in common: which ledger, how to print, which networks may be called."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from collections.abc import Callable, Sequence
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Any, TypeVar

import click

from core.webhooks import CheckUrl

Network = IPv4Network | IPv6Network
CheckUrlAllowing = Callable[[Sequence[Network]], CheckUrl]
"""Makes the check of webhooks' URLs, for targets that are allowed although they are private. Who carries knows it."""

DATA = "./hookledger-data"
PROGRAM = "hookledger"

Command = TypeVar("Command", bound=Callable[..., Any])


def as_typed() -> str:
    """How to type this program again: by its name, or, where that would find another or none, by its path."""
    program = Path(sys.argv[0])
    found = shutil.which(PROGRAM)
    if program.name != PROGRAM or (found is not None and Path(found).resolve() == program.resolve()):
        return PROGRAM
    beside = os.path.relpath(program)
    return shlex.quote(str(program.absolute()) if beside.startswith(os.pardir) else beside)


class _NetworkType(click.ParamType[Network]):
    name = "CIDR"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Network:
        try:
            return ip_network(value)
        except ValueError as error:
            self.fail(f"{error}; write it like 192.168.1.0/24 or fd00::/8", param, ctx)


def data_option(command: Command) -> Command:
    """`--data DIR`."""
    return click.option(
        "--data",
        type=click.Path(file_okay=False, path_type=Path),
        envvar="HOOKLEDGER_DATA",
        default=DATA,
        show_default=True,
        show_envvar=True,
        metavar="DIR",
        help="The data directory.",
    )(command)


def json_option(command: Command) -> Command:
    """`--json`."""
    return click.option("--json", "as_json", is_flag=True, help="As JSON, for programs.")(command)


def allow_target_option(explained: str) -> Callable[[Command], Command]:
    """`--allow-target CIDR`, as often as needed."""
    return click.option(
        "--allow-target",
        "allow",
        type=_NetworkType(),
        multiple=True,
        envvar="HOOKLEDGER_ALLOW_TARGET",
        show_envvar=True,
        metavar="CIDR",
        help=explained,
    )
