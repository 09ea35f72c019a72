"""Each line of the log is in the list, with the facts that its text is made of; and each line of the list is said."""

from __future__ import annotations

import ast
import string
from collections.abc import Iterator
from pathlib import Path

from core.log_lines import LINES
from tests.tidy.tree import of_product

BY_OTHERS = {"log.held_back"}
"""Said by core/log.py itself, and not through `say`."""


def sayings() -> Iterator[tuple[str, str, set[str], bool]]:
    """Where something is said: the line's name, the facts given, and whether more come in a mapping."""
    for source in of_product():
        for node in ast.walk(source.tree):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "say":
                assert isinstance(node.args[0], ast.Constant), f"{source.path}:{node.lineno}"
                facts = {keyword.arg for keyword in node.keywords}
                yield f"{source.path}:{node.lineno}", node.args[0].value, facts - {None}, None in facts


def wanted(line: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(LINES[line].text) if name}


def test_what_is_said_is_in_the_list():
    """No line is said that has no name in core/log_lines.py."""
    assert [(where, line) for where, line, _, _ in sayings() if line not in LINES] == []


def test_what_is_in_the_list_is_said():
    """No line is listed that nobody says."""
    assert set(LINES) - {line for _, line, _, _ in sayings()} - BY_OTHERS == set()


def test_a_line_has_the_facts_of_its_text():
    """Whoever says a line gives all that its text names."""
    missing = [(where, wanted(line) - facts) for where, line, facts, more in sayings() if not more]
    assert [(where, names) for where, names in missing if names] == []


def test_nobody_logs_past_the_list():
    """Only core/log.py knows the standard library's loggers."""
    users = {
        source.path
        for source in of_product()
        for node in ast.walk(source.tree)
        if isinstance(node, ast.Attribute) and node.attr == "getLogger"
    }
    assert users == {Path("core/log.py")}
