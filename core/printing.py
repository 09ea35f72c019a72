"""What commands print for people: tables and headed lines, drawn on a terminal, plain where they are piped on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import IO

from rich.console import Console
from rich.table import Table
from rich.text import Text

STATE_STYLES = {
    "delivered": "green",
    "retrying": "yellow",
    "failed": "bold red",
    "cancelled": "dim",
    "pending": "cyan",
    "enabled": "green",
    "disabled": "yellow",
}
"""Words that are coloured wherever they stand alone."""

GAP = "  "


def plain(text: str) -> str:
    """Without what could steer a terminal: portals and receivers wrote some of it."""
    if text.isprintable():
        return text
    return "".join(
        char if char.isprintable() or char == "\n" else char.encode("unicode_escape").decode("ascii") for char in text
    )


def styled(text: str, style: str | None = None) -> Text:
    return Text(plain(text), style or STATE_STYLES.get(text, ""))


def print_table(columns: Sequence[str], rows: Sequence[Sequence[str]], file: IO[str] | None = None) -> None:
    """Rows under their columns' names; numbers to the right."""
    console = Console(file=file, highlight=False)
    numeric = [all(row[index].isdigit() or row[index] in ("", "–") for row in rows) for index in range(len(columns))]
    if console.is_terminal:
        table = Table(box=None, pad_edge=False, header_style="bold dim")
        for name, is_numeric in zip(columns, numeric, strict=True):
            table.add_column(name, justify="right" if is_numeric else "left", overflow="fold")
        for row in rows:
            table.add_row(*map(styled, row))
        console.print(table)
        return
    lines = [columns, *([plain(cell).replace("\n", "\\n") for cell in row] for row in rows)]
    widths = [max(len(line[index]) for line in lines) for index in range(len(columns))]
    for line in lines:
        cells = [
            cell.rjust(width) if is_numeric else cell.ljust(width)
            for cell, width, is_numeric in zip(line, widths, numeric, strict=True)
        ]
        console.print(Text(GAP.join(cells).rstrip()), soft_wrap=True)


def print_facts(facts: Sequence[tuple[str, str]], file: IO[str] | None = None, indent: str = "") -> None:
    """One fact a line, each behind its name."""
    console = Console(file=file, highlight=False)
    width = max((len(name) for name, _ in facts), default=0)
    for name, value in facts:
        line = Text.assemble(indent, (name.ljust(width), "dim"), GAP, styled(value))
        console.print(line, soft_wrap=True)
