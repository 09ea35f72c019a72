"""docs/reference.md, made from the code: each command, flag, setting, error and limit, in the words it has there; and
docs/asyncapi.json, the topics of Kafka.

`make reference` writes both; a test compares it with what would be written now.
"""

from __future__ import annotations

import ast
import logging
import re
from collections.abc import Iterator
from pathlib import Path

import click

import core.commands.table
import core.errors
import core.settings
import delivery.commands
from core.commands.door import door_of
from core.errors import HookledgerError, InvalidInputError
from core.log_lines import LINES
from core.metrics import METRICS
from core.web.app import STATUS
from delivery.kafka_setup import asyncapi
from tests.tidy.tree import ROOT, Source, of_product

PAGE = ROOT / "docs" / "reference.md"
TOPICS = ROOT / "docs" / "asyncapi.json"
HEAD = """# Reference

Every command, flag, setting, error, metric, log line and limit, made from the code by `make reference`. How to do
things is told elsewhere: [README](../README.md), [portal events](portal-events.md), [architecture](architecture.md).
"""
LIMITS = Path("core/limits.py")
BOUNDS = re.compile(r"[A-Z][A-Z0-9_]*_(?:MAX|MIN|S|MS)\Z")
NOT_THE_SERVICE = ("delivery/bench/", "delivery/demo/")
"""They have bounds of their own, which nobody meets."""


def page() -> str:
    parts = [HEAD, *commands(), *settings(), *errors(), *metrics(), *log_lines(), *limits()]
    return "\n".join(parts).rstrip() + "\n"


def door() -> click.Group:
    """The command with all commands in it, as `main` makes it."""
    return door_of({**core.commands.table.COMMANDS, **delivery.commands.COMMANDS})


def tree(command: click.Command, context: click.Context) -> Iterator[tuple[str, click.Command, click.Context]]:
    """A command and all below it, with the words one types."""
    yield context.command_path, command, context
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            below = command.get_command(context, name)
            assert below is not None
            yield from tree(below, click.Context(below, info_name=name, parent=context))


def all_commands() -> list[tuple[str, click.Command, click.Context]]:
    group = door()
    return [*tree(group, click.Context(group, info_name="hookledger"))]


def commands() -> Iterator[str]:
    codes = "0 it is done, 1 it could not be done, 2 it was said wrongly, 130 it was interrupted"
    yield f"## Commands\n\nExit codes: {codes}.\n"
    for path, command, context in all_commands():
        if isinstance(command, click.Group) and context.parent is not None:
            continue
        yield f"### {path}\n"
        words = " ".join(command.collect_usage_pieces(context))
        yield f"    {path} {words}\n"
        yield f"{_sentence(command.help or '')}\n"
        rows = [row for parameter in command.get_params(context) if (row := _flag(parameter, context)) is not None]
        yield from (f"- {row}" for row in rows)
        if rows:
            yield ""


def _flag(parameter: click.Parameter, context: click.Context) -> str | None:
    if isinstance(parameter, click.Option):
        record = parameter.get_help_record(context)
        if record is None or "--help" in parameter.opts:
            return None
        return f"`{record[0]}`: {record[1]}"
    return None


def settings() -> Iterator[str]:
    yield "## Settings\n"
    yield (
        "A flag wins over the environment, the environment over `hookledger.toml`, and that over the default; "
        "[settings](settings.md) tells of it.\n"
    )
    yield "| Key in the file | Flag | Variable | Value | Default | Meaning |\n|---|---|---|---|---|---|"
    for row in core.settings.table().values():
        default = "" if row.default == () else f"`{row.default}`"
        yield f"| {row.name} | `{row.flag}` | {row.variable} | {row.kind.expected} | {default} | {row.help} |"
    yield "\n### Other variables\n"
    others = dict(core.settings.SECRETS)
    known = {row.variable for row in core.settings.table().values()}
    for _, command, context in all_commands():
        for parameter in command.get_params(context):
            if isinstance(parameter, click.Option) and parameter.envvar and parameter.envvar not in known:
                others[str(parameter.envvar)] = f"As `{parameter.opts[-1]}`. {_sentence(parameter.help or '')}"
    yield from (f"- `{name}`: {meaning}" for name, meaning in sorted(others.items()))
    yield ""


def errors() -> Iterator[str]:
    yield "## Errors\n\nOver HTTP they are problem details (RFC 9457); a command prints them as one line.\n"
    yield "| Error | HTTP | Exit code | Meaning |\n|---|---|---|---|"
    for kind in vars(core.errors).values():
        if isinstance(kind, type) and issubclass(kind, HookledgerError):
            code = 2 if issubclass(kind, InvalidInputError) else 1
            yield f"| {kind.__name__} | {STATUS.get(kind, 500)} | {code} | {_sentence(kind.__doc__ or '')} |"
    yield ""


def metrics() -> Iterator[str]:
    yield "## Metrics\n\n`GET /metrics`; [metrics.md](metrics.md) says more of each, and what to alarm on.\n"
    yield "| Metric | Kind | Labels | Meaning |\n|---|---|---|---|"
    for metric in METRICS:
        yield f"| {metric.name} | {metric.kind} | {', '.join(metric.labels)} | {_sentence(metric.means)} |"
    yield ""


def log_lines() -> Iterator[str]:
    yield "## Log lines\n\n[logs.md](logs.md) says how to read them. `…`: held back where there are too many.\n"
    yield "| Line | Level | Text |\n|---|---|---|"
    for name, line in LINES.items():
        level = logging.getLevelName(line.level).lower() + (" …" if line.often else "")
        yield f"| {name} | {level} | {line.text} |"
    yield ""


def limits() -> Iterator[str]:
    yield "## Limits\n\nWhat is full says which of these it met.\n"
    sources = {source.path: source for source in of_product()}
    yield from _limits_of(sources[LIMITS], every=True)
    for path, source in sources.items():
        if path != LIMITS and not str(path).startswith(NOT_THE_SERVICE):
            yield from _limits_of(source, every=False)


def _limits_of(source: Source, *, every: bool) -> Iterator[str]:
    rows = [
        f"| {name} | {value} | {said} |"
        for name, value, said in constants(source)
        if every or (BOUNDS.match(name) is not None)
    ]
    if rows:
        yield f"### {source.path}\n\n| Limit | Value | Meaning |\n|---|---|---|"
        yield from rows
        yield ""


def constants(source: Source) -> Iterator[tuple[str, str, str]]:
    """The public constants of a file, as they are written, with the docstring below each."""
    body = source.tree.body
    for node, after in zip(body, [*body[1:], None], strict=False):
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            name = node.targets[0].id
            if name.isupper() and not name.startswith("_"):
                said = after.value.value if _is_text(after) else ""
                yield name, f"`{ast.unparse(node.value)}`", _sentence(said)


def _is_text(node: ast.stmt | None) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


def _sentence(text: str) -> str:
    words = " ".join(text.replace("\b", "").split()).replace("|", "\\|")
    return words if not words or words.endswith((".", "!", "?", ":")) else f"{words}."


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    TOPICS.write_text(asyncapi.text(), encoding="utf-8")
