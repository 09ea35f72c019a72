"""What the demo shows: acts, what is typed in them, and a tick behind what was verified."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from rich.console import Console
from rich.text import Text


class Shown:
    """Lines for people, as they happen."""

    def __init__(self) -> None:
        self._console = Console(highlight=False)

    def line(self, text: str, style: str = "") -> None:
        self._console.print(Text(text, style), soft_wrap=True)

    def act(self, title: str) -> None:
        self.line("")
        self.line(title, "bold")

    def typed(self, words: Sequence[str]) -> None:
        self.line(f"  $ {shlex.join(words)}", "cyan")

    def verified(self, what: str) -> None:
        """Said of what was looked at, and is so."""
        self._console.print(Text.assemble(("  ✓ ", "green"), what), soft_wrap=True)
