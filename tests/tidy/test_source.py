"""What the style guide says of source files, where a linter has no word for it."""

from __future__ import annotations

import ast
import re

import pytest

from tests.tidy.tree import ROOT, documents, of_product, of_tests, sources

FILE_LINES_MAX = 300
FUNCTION_LINES_MAX = 60
SAYS_NOTHING = {"base", "common", "helper", "helpers", "manager", "managers", "misc", "util", "utils"}
# Written with brackets, so that this file does not hold what it looks for.
UNFINISHED = re.compile(r"\b(T[O]DO|F[I]XME|X[X]X|H[A]CK|NotImplemented[E]rror)\b|# *stu[b]\b")
SCRIPTS = ("Makefile", ".ci/run", "setup.cfg", "pyproject.toml")


def test_there_is_source_to_look_at():
    """The other tests of this file look at the code, and not at an empty folder."""
    paths = {str(source.path) for source in sources()}
    assert {"hookledger.py", "core/trigger.py", "tests/tidy/tree.py"} <= paths


def test_a_file_holds_one_noun():
    """No Python file is longer than can be read in one go."""
    lines = {str(source.path): source.text.count("\n") for source in sources()}
    assert {path: count for path, count in lines.items() if count > FILE_LINES_MAX} == {}


def test_a_function_fits_on_a_screen():
    """No function is longer than can be seen at once."""
    long = {
        f"{source.place(node)} {node.name}": node.end_lineno - node.lineno + 1
        for source in sources()
        for node in ast.walk(source.tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.end_lineno - node.lineno + 1 > FUNCTION_LINES_MAX
    }
    assert long == {}


def test_a_file_opens_with_what_it_is():
    """Every module that holds anything begins with a docstring whose first paragraph is whole sentences."""
    openings = {str(source.path): ast.get_docstring(source.tree) for source in sources() if source.text.strip()}
    first = {path: (doc or "").split("\n\n")[0].strip() for path, doc in openings.items()}
    assert [path for path, text in first.items() if not text.endswith((".", "!", "?", ":"))] == []


def test_a_name_says_something():
    """No file and no folder has a name that would fit any other as well."""
    words = {
        str(source.path): {word for part in source.path.with_suffix("").parts for word in part.split("_")}
        for source in sources()
    }
    assert [path for path, found in words.items() if found & SAYS_NOTHING] == []


def test_nothing_is_left_for_later():
    """No file says that it is unfinished: what is missing has an issue, or is missing from the docs as well."""
    files = [*(source.path for source in sources()), *documents(), *SCRIPTS]
    found = [
        f"{path}:{number}: {line.strip()}"
        for path in files
        for number, line in enumerate((ROOT / path).read_text(encoding="utf-8").splitlines(), 1)
        if UNFINISHED.search(line)
    ]
    assert found == []


def test_a_name_has_one_address():
    """The packages of core and delivery re-export nothing: an __init__ is empty but for a docstring."""
    inits = [s for s in of_product() if s.path.name == "__init__.py" and s.folder in ("core", "delivery")]
    bodies = {str(s.path): s.tree.body[1:] if ast.get_docstring(s.tree) else s.tree.body for s in inits}
    assert [path for path, body in bodies.items() if body] == []


@pytest.mark.parametrize("module", ["time", "asyncio"])
def test_no_test_sleeps(module):
    """Tests wait for what happens, with a deadline, and never for time to pass."""
    found = [
        source.place(node)
        for source in of_tests()
        for node in ast.walk(source.tree)
        if (isinstance(node, ast.Attribute) and ast.unparse(node) == f"{module}.sleep")
        or (isinstance(node, ast.ImportFrom) and node.module == module and "sleep" in {a.name for a in node.names})
    ]
    assert found == []


def test_no_test_is_left_out():
    """A test that cannot run here fails; it is not skipped or expected to fail."""
    ways_out = {"skip", "skipif", "skipIf", "xfail", "importorskip"}
    found = [
        source.place(node)
        for source in of_tests()
        for node in ast.walk(source.tree)
        if isinstance(node, ast.Attribute) and node.attr in ways_out
    ]
    assert found == []


def test_every_test_says_what_it_shows():
    """A test's docstring is one sentence of behaviour."""
    found = [
        f"{source.place(node)} {node.name}"
        for source in of_tests()
        if source.path.name.startswith("test_")
        for node in ast.walk(source.tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.name.startswith("test_")
        and not ast.get_docstring(node)
    ]
    assert found == []
