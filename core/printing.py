"""What commands print for people: tables and headed lines, drawn on a terminal, plain where they are piped on.

Rich is imported where something is drawn: a command that is piped on, or prints JSON, starts sooner without it.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

STATE_STYLES = {
    "delivered": "green",
    "retrying": "yellow",
    "failed": "bold red",
    "cancelled": "dim",
    "pending": "cyan",
    "enabled": "green",
    "disabled": "yellow",
    "revoked": "dim",
}
"""Words that are coloured wherever they stand alone."""

GAP = "  "
FOLDED_CHARS_MIN = 16
"""A column is folded no narrower than this."""


def plain(text: str) -> str:
    """Without what could steer a terminal: portals and receivers wrote some of it."""
    if text.isprintable():
        return text
    return "".join(
        char if char.isprintable() or char == "\n" else char.encode("unicode_escape").decode("ascii") for char in text
    )


def many(count: int, one: str, several: str | None = None) -> str:
    """`1 delivery`, `1,200 deliveries`; *several* where it is not *one* with an s."""
    return f"{count:,} {one if count == 1 else several or f'{one}s'}"


def styled(text: str, style: str | None = None) -> Text:
    from rich.text import Text

    return Text(plain(text), style or STATE_STYLES.get(text, ""))


def console(file: IO[str] | None = None) -> Console:
    """Where things are drawn; without any colour or weight where NO_COLOR says so."""
    from rich.console import Console

    return Console(file=file, highlight=False, color_system=None if os.environ.get("NO_COLOR") else "auto")


def print_table(columns: Sequence[str], rows: Sequence[Sequence[str]], file: IO[str] | None = None) -> None:
    """Rows under their columns' names; numbers to the right, and never cut or broken."""
    file = sys.stdout if file is None else file
    numeric = [all(row[index].isdigit() or row[index] in ("", "–") for row in rows) for index in range(len(columns))]
    if file.isatty():
        _draw_table(columns, rows, numeric, file)
        return
    lines = [columns, *([one_line(cell) for cell in row] for row in rows)]
    widths = [max(len(line[index]) for line in lines) for index in range(len(columns))]
    for line in lines:
        cells = [
            cell.rjust(width) if is_numeric else cell.ljust(width)
            for cell, width, is_numeric in zip(line, widths, numeric, strict=True)
        ]
        print(GAP.join(cells).rstrip(), file=file)


def _draw_table(columns: Sequence[str], rows: Sequence[Sequence[str]], numeric: Sequence[bool], file: IO[str]) -> None:
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold dim")
    width = 0
    for index, (name, is_numeric) in enumerate(zip(columns, numeric, strict=True)):
        is_whole = is_numeric or name == "id"
        longest = max(len(line[index]) for line in (columns, *rows))
        width += len(GAP) + (longest if is_whole else min(longest, FOLDED_CHARS_MIN))
        table.add_column(name, justify="right" if is_numeric else "left", overflow="fold", no_wrap=is_whole)
    for row in rows:
        table.add_row(*map(styled, row))
    to = console(file)
    # Where a terminal is narrower than this, its own breaks are easier to read than columns of a letter or two.
    to.width = max(to.width, width)
    to.print(table)


def print_facts(facts: Sequence[tuple[str, str]], file: IO[str] | None = None, indent: str = "") -> None:
    """One fact a line, each behind its name."""
    file = sys.stdout if file is None else file
    width = max((len(name) for name, _ in facts), default=0)
    if not file.isatty():
        for name, value in facts:
            print(f"{indent}{name.ljust(width)}{GAP}{one_line(value)}", file=file)
        return
    from rich.text import Text

    to = console(file)
    for name, value in facts:
        to.print(Text.assemble(indent, (name.ljust(width), "dim"), GAP, styled(one_line(value))), soft_wrap=True)


def one_line(text: str) -> str:
    """`plain`, and so that nobody's words can pass for a line of ours."""
    return plain(text).replace("\n", "\\n")
