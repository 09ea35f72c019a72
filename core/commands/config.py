"""`hookledger config`: all settings, and where each value came from."""

from __future__ import annotations

import os
from pathlib import Path

import click
import msgspec

from core.commands.desk import print_json
from core.epilog import epilog
from core.options import file_read, json_option, settings_options, sources
from core.printing import print_table
from core.setting_kinds import DatabaseUrl
from core.settings import PREFIX, SECRETS, Setting, Settings, strangers, table

HIDDEN = "(hidden)"


class Said(msgspec.Struct, frozen=True):
    """A setting's value and where it is from: `flag`, `environment`, `file` or `default`. `flag` None: it has none."""

    value: object
    source: str
    flag: str | None
    variable: str


@click.command(epilog=epilog("hookledger config", "hookledger config --port 9000 --json", then=["hookledger serve"]))
@settings_options
@json_option
@click.pass_context
def config(context: click.Context, settings: Settings, as_json: bool) -> None:
    """Print all settings, and where each value came from.

    Give it the flags that you give `serve`: it says what `serve` would make of them. A flag wins over the environment,
    the environment over the file, and the file over the default.
    """
    said, file = _said(settings, sources(context)), file_read(context)
    if as_json:
        print_json({"file": None if file is None else str(file), "settings": said})
    else:
        print_table(
            ("setting", "value", "from"),
            [(name, _in_words(one.value), _origin(one, file)) for name, one in said.items()],
        )
    for name, near in strangers(os.environ).items():
        click.echo(f"{name} is in the environment, and no setting; {near}", err=True)


def _said(settings: Settings, found: dict[str, str]) -> dict[str, Said]:
    said = {
        name: Said(_plain(getattr(settings, name), row), found[name], row.flag, row.variable)
        for name, row in table().items()
    }
    for variable in SECRETS:
        is_set = bool(os.environ.get(variable))
        name = variable.removeprefix(PREFIX).lower()
        said[name] = Said(HIDDEN if is_set else None, "environment" if is_set else "default", None, variable)
    return said


def _plain(value: object, row: Setting) -> object:
    """As JSON has it, without a password."""
    if isinstance(row.kind, DatabaseUrl) and isinstance(value, str):
        return row.kind.shown(value)
    if isinstance(value, tuple):
        return [str(entry) for entry in value]
    return str(value) if isinstance(value, Path) else value


def _in_words(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(value) or "–"
    if isinstance(value, float):
        return f"{value:g}"
    return "–" if value is None else str(value)


def _origin(one: Said, file: Path | None) -> str:
    match one.source:
        case "flag":
            return f"flag {one.flag}"
        case "environment":
            return f"environment {one.variable}"
        case "file":
            return f"file {file}"
        case _:
            return "default"
