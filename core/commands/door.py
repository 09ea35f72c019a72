"""The command `hookledger`: its commands by name, each imported when it is typed, and how all of them end.

Exit codes: 0 it is done, 1 it could not be, 2 it was said wrongly, 130 somebody pressed Ctrl-C.
"""

from __future__ import annotations

import errno
import io
import os
import sys
from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Any, NamedTuple, NoReturn, TextIO

import click
from click.shell_completion import CompletionItem

from core.errors import HookledgerError, InvalidInputError, LedgerError

PROGRAM = "hookledger"
INTERRUPTED = 130
OF_POSTGRESQL = {"psycopg", "psycopg_pool"}
"""What the extra `postgres` installs."""
OF_DATABASES = ("sqlite3", "eventsourcing.persistence", "psycopg.errors", "psycopg")
"""Where what a database says no with is from; not imported for who needs none."""


class Named(NamedTuple):
    """Where a command is (`module:attribute`), and what it does in one sentence, its help's first."""

    place: str
    summary: str


class Door(click.Group):
    """Lists commands without importing them."""

    def __init__(self, named: Mapping[str, Named], **attributes: Any) -> None:
        super().__init__(**attributes)
        self._named = named

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(self._named)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        named = self._named.get(cmd_name)
        if named is None:
            return None
        module, _, attribute = named.place.partition(":")
        try:
            command: click.Command = getattr(import_module(module), attribute)
        except ModuleNotFoundError as error:
            if error.name not in OF_POSTGRESQL:
                raise
            raise LedgerError("a ledger on PostgreSQL needs more packages: install hookledger[postgres]") from None
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, self._named[name].summary) for name in self.list_commands(ctx)])

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        found = [
            CompletionItem(name, help=self._named[name].summary)
            for name in self.list_commands(ctx)
            if name.startswith(incomplete)
        ]
        return found + click.Command.shell_complete(self, ctx, incomplete)


def door_of(named: Mapping[str, Named]) -> Door:
    """The command, with these in it."""
    door = Door(
        named,
        name=PROGRAM,
        help="Webhooks for portals: signed, retried, and every one of them remembered.",
        epilog=f"What a command does, and how it is typed: {PROGRAM} COMMAND --help",
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    return click.version_option(package_name=PROGRAM)(door)


def run(args: Sequence[str] | None, named: Mapping[str, Named], obj: Any) -> NoReturn:
    """Run one command and exit; None: the process's words. *obj* is for commands that ask for it."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        # What cannot be written in the terminal's encoding is written in other words, and is no reason to fail.
        sys.stdout.reconfigure(errors="backslashreplace")
    sys.exit(_run(door_of(named), args, obj))


def _run(door: click.Group, args: Sequence[str] | None, obj: Any) -> int:
    """As `_end`, and say in one line what a file or a database says no with."""
    try:
        return _end(door, args, obj)
    except Exception as error:  # not by their classes: nobody but who has a database imports them
        if type(error).__module__ not in OF_DATABASES:
            raise
        first, _, _ = str(error).strip().partition("\n")
        return _failed(f"the data cannot be read or written: {first}", 1)


def _end(door: click.Group, args: Sequence[str] | None, obj: Any) -> int:
    """Run the command, say in one line what went wrong, and how it ends."""
    out = sys.stdout
    try:
        code = door.main(args, prog_name=PROGRAM, obj=obj, standalone_mode=False)
        sys.stdout.flush()
        return code if isinstance(code, int) else 0
    except HookledgerError as error:
        return _failed(str(error), 2 if isinstance(error, InvalidInputError) else 1)
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        return error.exit_code
    except click.UsageError as error:
        return _failed(_said_wrongly(error), error.exit_code)
    except click.ClickException as error:
        return _failed(error.format_message(), error.exit_code)
    except click.Abort as error:
        if isinstance(error.__cause__, EOFError):
            return _failed("nothing was answered, and nothing is done", 1)
        return _failed("interrupted", INTERRUPTED)
    except SystemExit as end:
        # Where nobody reads on, rich ends the process, and so does click, which puts another stdout in place.
        if sys.stdout is out and not _is_broken_pipe(end.__context__):
            raise
        return _unread(out)
    except OSError as error:
        if _is_broken_pipe(error):
            return _unread(out)
        return _failed(": ".join(map(str, filter(None, (error.filename, error.strerror or error)))), 1)


def _said_wrongly(error: click.UsageError) -> str:
    """With where to read on; click's own sentence may be a question."""
    why = error.format_message().rstrip(".")
    if error.ctx is None:
        return why
    return f"{why}{' See' if why.endswith('?') else '; see'} `{error.ctx.command_path} --help`"


def _failed(why: str, code: int) -> int:
    click.echo(f"{PROGRAM}: {' '.join(line.strip() for line in why.splitlines())}", err=True)
    return code


def _is_broken_pipe(error: BaseException | None) -> bool:
    return isinstance(error, OSError) and error.errno == errno.EPIPE


def _unread(out: TextIO) -> int:
    """Whoever was reading has seen enough, as `head` has: what is left goes nowhere, without a word."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, out.fileno())
    return 0
