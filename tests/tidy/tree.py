"""What there is in the checkout: its Python files, read once, and its documents."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
PACKAGES = ("core", "delivery", "plugins")
FOLDERS = (*PACKAGES, "examples", "tests")


class Source(NamedTuple):
    """A Python file: where it is in the checkout, its text, and its syntax tree."""

    path: Path
    text: str
    tree: ast.Module

    @property
    def folder(self) -> str:
        """The top-level folder; empty for a file of the checkout's root."""
        return self.path.parts[0] if len(self.path.parts) > 1 else ""

    def place(self, node: ast.AST) -> str:
        return f"{self.path}:{node.lineno}"


@cache
def sources() -> tuple[Source, ...]:
    """Every Python file of ours, in the order of their paths."""
    files = [*ROOT.glob("*.py"), *(file for folder in FOLDERS for file in (ROOT / folder).rglob("*.py"))]
    read = [(file.relative_to(ROOT), file.read_text(encoding="utf-8")) for file in sorted(files)]
    return tuple(Source(path, text, ast.parse(text)) for path, text in read)


def of_product() -> list[Source]:
    """The files that are installed."""
    return [source for source in sources() if source.folder in PACKAGES or source.path.name == "hookledger.py"]


def of_tests() -> list[Source]:
    """The files that try them."""
    return [source for source in sources() if source.folder == "tests"]


@cache
def documents() -> tuple[Path, ...]:
    """Every Markdown file of ours, as paths in the checkout."""
    files = [*ROOT.glob("*.md"), *(file for folder in (*FOLDERS, "docs") for file in (ROOT / folder).rglob("*.md"))]
    return tuple(file.relative_to(ROOT) for file in sorted(files))
