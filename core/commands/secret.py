"""`--secret -`: a webhook's secret, which is read and never an argument."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, TypeVar

import click

NEVER_AN_ARGUMENT = "a secret is never an argument: say `--secret -` and give it on standard input"

Command = TypeVar("Command", bound=Callable[..., Any])


def secret_option(explained: str) -> Callable[[Command], Command]:
    """`--secret -`: a line of standard input, or what is typed where that is a terminal."""
    return click.option("--secret", metavar="-", callback=_read, help=explained)


def _read(_: click.Context, __: click.Parameter, value: str | None) -> str | None:
    """From standard input: arguments are for everybody on the machine to read."""
    if value is None:
        return None
    if value != "-":
        raise click.BadParameter(NEVER_AN_ARGUMENT)
    return read_secret()


def read_secret() -> str:
    """A line of standard input, or what is typed where that is a terminal, and is not shown there."""
    if sys.stdin.isatty():
        return str(click.prompt("secret", hide_input=True, err=True))
    return sys.stdin.readline().rstrip("\r\n")
