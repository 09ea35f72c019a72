"""The words that a shell offers when somebody presses Tab: never late, never loud, and nothing rather than wrong."""

from __future__ import annotations

import faulthandler
import io
import os
from collections.abc import Iterable
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING

import click
from click.core import ParameterSource
from click.shell_completion import CompletionItem

from core.limits import COMPLETION_S, COMPLETION_WORDS_MAX
from core.settings import FILE, FILE_VARIABLE, Settings, read_file

if TYPE_CHECKING:
    from core.directory import Directory


def complete_trigger(_: click.Context, __: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Triggers of the plugins that are installed."""
    try:
        with_deadline()
        from core.loading import Loader
        from core.plugins import Plugins

        nowhere = io.StringIO()
        with redirect_stdout(nowhere), redirect_stderr(nowhere):
            names = sorted(Plugins(*Loader().load(COMPLETION_S / 2)).triggers)
    except (Exception, SystemExit):  # noqa: BLE001 -- a plugin's import runs anything, and at a prompt it is only no help
        return []
    return _fitting(((name, "") for name in names), incomplete)


def complete_webhook(ctx: click.Context, _: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Numbers of webhooks, with their names."""
    known = _glance(ctx)
    if known is None:
        return []
    numbered = sorted(known.by_number.items())
    return _fitting(((str(number), one.name) for number, one in numbered if not one.deleted), incomplete)


def complete_token(ctx: click.Context, _: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Ids of tokens that are not revoked, with who they speak for."""
    known = _glance(ctx)
    if known is None:
        return []
    speaking = [one for one in known.tokens.values() if not one.is_revoked]
    return _fitting(((one.id.hex(), f"{one.role} {one.user or ''}".rstrip()) for one in speaking), incomplete)


def with_deadline() -> None:
    """End this process, which only completes, without a word when it takes too long, whatever holds it up."""
    faulthandler.dump_traceback_later(COMPLETION_S, exit=True, file=Path(os.devnull).open("w"))  # noqa: SIM115 -- kept


def _glance(ctx: click.Context) -> Directory | None:
    try:
        with_deadline()
        from core.glance import glance

        return glance(_data(ctx) / "ledger.sqlite")
    except Exception:  # noqa: BLE001 -- whatever the file is, at a prompt it is only no help
        return None


def _data(ctx: click.Context) -> Path:
    """The data directory that the command would take; a shell that completes reads no settings by itself."""
    if ctx.get_parameter_source("data") in (ParameterSource.COMMANDLINE, ParameterSource.ENVIRONMENT):
        return Path(ctx.params["data"])
    file = Path(os.environ.get(FILE_VARIABLE) or FILE)
    return Path((read_file(file) if file.exists() else {}).get("data", Settings().data))


def _fitting(words: Iterable[tuple[str, str]], incomplete: str) -> list[CompletionItem]:
    found = [CompletionItem(word, help=explained or None) for word, explained in words if word.startswith(incomplete)]
    return found[:COMPLETION_WORDS_MAX]
