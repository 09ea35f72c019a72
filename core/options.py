"""What several commands have in common: the settings as flags, which ledger, how to print, how we were called."""

from __future__ import annotations

import functools
import math
import os
import shlex
import shutil
import sys
from collections.abc import Callable, Sequence
from ipaddress import ip_network
from pathlib import Path
from typing import Any, TypeVar

import click
from click.core import ParameterSource

from core.check_url import CheckUrl
from core.ledger.store import Database, Place
from core.setting_kinds import DatabaseUrl, Folder, Kind, Network, Networks, Seconds, Texts, Whole, Word, Words
from core.settings import FILE, FILE_VARIABLE, Setting, Settings, read_file, table

CheckUrlAllowing = Callable[[Sequence[Network]], CheckUrl]
"""Makes the check of webhooks' URLs, for targets that are allowed although they are private. Who carries knows it."""

PROGRAM = "hookledger"
FILE_READ = f"{__name__}.file"
"""Under which a click context keeps the path of the file it read settings from; None: there was none."""

METAVARS: dict[type[Kind], str] = {Folder: "DIR", DatabaseUrl: "URL"}
"""What stands for a setting's value in the help, where its type does not say it."""

Command = TypeVar("Command", bound=Callable[..., Any])


def as_typed() -> str:
    """How to type this program again: by its name, or, where that would find another or none, by its path."""
    program = Path(sys.argv[0])
    found = shutil.which(PROGRAM)
    if program.name != PROGRAM or (found is not None and Path(found).resolve() == program.resolve()):
        return PROGRAM
    beside = os.path.relpath(program)
    return shlex.quote(str(program.absolute()) if beside.startswith(os.pardir) else beside)


def data_option(command: Command) -> Command:
    """`--data DIR`, and `--config FILE` that may say it."""
    return setting_option("data")(config_option(command))


def place_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """`--data`, `--database`, `--schema`, and `--config` that may say them; the command is given them as `place`."""

    @functools.wraps(command)
    def placed(*args: Any, data: Path, database: str | None, schema: str, **said: Any) -> Any:
        return command(*args, place=Place(data, Database(database, schema) if database else None), **said)

    decorated = config_option(placed)
    for name in ("schema", "database", "data"):
        decorated = setting_option(name)(decorated)
    return decorated


def json_option(command: Command) -> Command:
    """`--json`."""
    return click.option("--json", "as_json", is_flag=True, help="As JSON, for programs.")(command)


def key_option(command: Command) -> Command:
    """`--idempotency-key K`."""
    return click.option(
        "--idempotency-key",
        "key",
        metavar="K",
        help="A name of yours for what is asked here: said again with the same one, it is not done again.",
    )(command)


def setting_option(name: str, explained: str | None = None) -> Callable[[Command], Command]:
    """The flag of one setting, with its variable and its default; `--config` must be there too, for its file."""
    setting = table()[name]
    is_several, is_folder = isinstance(setting.kind, Networks | Texts | Words), isinstance(setting.kind, Folder)
    return click.option(
        setting.flag,
        name,
        cls=_SettingOption,
        type=_type(setting),
        multiple=is_several,
        default=(setting.default or None) if is_several else f"./{setting.default}" if is_folder else setting.default,
        show_default=not is_several and setting.default is not None,
        envvar=setting.variable,
        show_envvar=True,
        metavar=METAVARS.get(type(setting.kind)),
        help=explained or setting.help,
    )


def settings_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The flags of all settings; the command is given them as `settings`."""
    rows = table()

    @functools.wraps(command)
    def gathered(*args: Any, **said: Any) -> Any:
        return command(*args, settings=Settings(**{name: said.pop(name) for name in rows}), **said)

    decorated = config_option(gathered)
    for name in reversed(rows):
        decorated = setting_option(name)(decorated)
    return decorated


def config_option(command: Command) -> Command:
    """`--config FILE`: where settings stand that neither a flag nor the environment says."""
    return click.option(
        "--config",
        type=click.Path(dir_okay=False, path_type=Path),
        callback=_read,
        expose_value=False,
        # Before the settings, which ask the context for what it read.
        is_eager=True,
        envvar=FILE_VARIABLE,
        show_envvar=True,
        metavar="FILE",
        help=f"The file with settings; without it {FILE}, if that is there.",
    )(command)


def sources(context: click.Context) -> dict[str, str]:
    """Where each setting of a command came from: `flag`, `environment`, `file` or `default`."""
    words = {
        ParameterSource.COMMANDLINE: "flag",
        ParameterSource.ENVIRONMENT: "environment",
        ParameterSource.DEFAULT_MAP: "file",
    }
    found = {name: context.get_parameter_source(name) for name in _names(context)}
    return {name: "default" if source is None else words.get(source, "default") for name, source in found.items()}


def file_read(context: click.Context) -> Path | None:
    """The file that settings were read from."""
    path: Path | None = context.meta.get(FILE_READ)
    return path


class _SettingOption(click.Option):
    """A flag that may also stand in the file."""


def _names(context: click.Context) -> list[str]:
    return [option.name for option in context.command.params if isinstance(option, _SettingOption) and option.name]


def _read(context: click.Context, _: click.Parameter, path: Path | None) -> None:
    if context.resilient_parsing:
        return
    if path is None and not Path(FILE).exists():
        return
    path = path or Path(FILE)
    found = read_file(path)
    context.meta[FILE_READ] = path
    context.default_map = {name: found[name] for name in _names(context) if name in found}


class NumberRange(click.FloatRange):
    """As its parent, which takes `nan`: that is neither too small nor too large."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        number = super().convert(value, param, ctx)
        if math.isnan(number):
            self.fail(f"{value!r} is no number", param, ctx)
        return number


class _NetworkType(click.ParamType[Network]):
    name = "CIDR"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Network:
        try:
            return ip_network(value)
        except ValueError as error:
            self.fail(f"{error}; write it like 192.168.1.0/24 or fd00::/8", param, ctx)


class _DatabaseType(click.ParamType[str]):
    name = "URL"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        if DatabaseUrl().read(value) is None:
            # Not what was typed: part of it may be a password.
            self.fail(f"it must be {DatabaseUrl().expected}", param, ctx)
        return str(value)


def _type(setting: Setting) -> click.ParamType[Any]:
    match setting.kind:
        case Whole(least, most):
            return click.IntRange(least, most)
        case Seconds(most):
            return NumberRange(0, most)
        case Word(words) | Words(words):
            return click.Choice(list(words))
        case DatabaseUrl():
            return _DatabaseType()
        case Networks():
            return _NetworkType()
        case Folder():
            return click.Path(file_okay=False, path_type=Path)
        case _:
            return click.STRING
