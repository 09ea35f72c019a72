"""What documents point at is there."""

from __future__ import annotations

import configparser
import re
import types

import pluggy

from core import hookspecs
from hookledger import PortalEvent, Reading, Trigger, Unreadable
from tests.tidy.tree import ROOT, documents

FENCE = re.compile(r"^(```|~~~).*?^\1", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\[[^\]\n]*\]\(([^)\s]+)(?:\s+\"[^\"]*\")?\)|^\[[^\]\n]+\]:\s*(\S+)", re.MULTILINE)
ELSEWHERE = re.compile(r"^[a-z][a-z0-9+.-]*:")
HEADING = re.compile(r"^#{1,6}\s+(.+?)\s*#*$", re.MULTILINE)
MAKE = re.compile(r"\bmake ([a-z]+)`|^(?:\$ )?make ([a-z]+)\b", re.MULTILINE)
PYTHON = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)
TARGET = re.compile(r"^([a-z]+):", re.MULTILINE)


def read(path):
    return (ROOT / path).read_text(encoding="utf-8")


def links(path):
    """The relative links of a document, without those in its blocks of code."""
    found = [one or other for one, other in LINK.findall(FENCE.sub("", read(path)))]
    return [link for link in found if not ELSEWHERE.match(link)]


def anchors(path):
    """What a `#` may name in a document: its headings, as they are shown on the web."""
    headings = HEADING.findall(FENCE.sub("", read(path)))
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def is_broken(path, link):
    file, _, anchor = link.partition("#")
    target = (ROOT / path).parent / file if file else ROOT / path
    return not target.exists() or bool(anchor and target.suffix == ".md" and anchor not in anchors(target))


def test_the_documents_one_looks_for_are_there():
    """A stranger finds what they look for by the names that projects use."""
    expected = {"README.md", "CONTRIBUTING.md", "CHANGELOG.md", "docs/glossary.md", "docs/decisions.md"}
    assert expected <= {str(path) for path in documents()}


def test_every_relative_link_resolves():
    """A link from one document to a file, or to a heading, leads there."""
    assert [f"{path}: {link}" for path in documents() for link in links(path) if is_broken(path, link)] == []


def test_no_link_leaves_the_checkout():
    """A relative link stays inside the project, so that it works wherever the project is."""
    outside = [
        f"{path}: {link}"
        for path in documents()
        for link in links(path)
        if not ((ROOT / path).parent / link.partition("#")[0]).resolve().is_relative_to(ROOT)
    ]
    assert outside == []


def test_every_make_target_that_is_written_about_exists():
    """`make something` in a document is a target of the Makefile."""
    targets = set(TARGET.findall(read("Makefile")))
    named = {one or other for path in documents() for one, other in MAKE.findall(read(path))}
    assert named, "no document says what to type"
    assert named - targets == set()


def test_the_changelog_has_this_version():
    """The version of the code has its own heading; one still in development says that it is unreleased."""
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg", encoding="utf-8")
    version, _, development = config["metadata"]["version"].partition(".dev")
    headings = [heading for heading in HEADING.findall(read("CHANGELOG.md")) if version in heading]
    assert len(headings) == 1
    assert ("Unreleased" in headings[0]) == bool(development)


def test_the_plugin_in_the_readme_is_whole():
    """The plugin that the README shows can be registered as it stands, and reads what it says it reads."""
    (code,) = PYTHON.findall(read("README.md"))
    module = types.ModuleType("kites")
    exec(code, vars(module))
    manager = pluggy.PluginManager(hookspecs.PROJECT)
    manager.add_hookspecs(hookspecs)
    manager.register(module)
    manager.check_pending()

    [[trigger]] = manager.hook.register_triggers()
    flown, torn = (
        PortalEvent(tenant="1", id=id, type=trigger.name, data=data, time=0)
        for id, data in [("a", {"id": 7, "height": 40}), ("b", {"id": "7"})]
    )
    [[reading, refused]] = manager.hook.read_event(events=[flown, torn], directory=None)
    assert reading == Reading(payload={"id": 7, "height": 40}, target_type="kite", target_ids=[7], readers=["everyone"])
    assert refused == Unreadable("data.id", "expected int")


def test_authors_are_told_of_every_field():
    """docs/plugins.md has a row for each field of what a plugin answers, and none that there is not."""
    rows = re.split(r"^\| Field of `(\w+)` .*\n", read("docs/plugins.md"), flags=re.MULTILINE)[1:]
    told = {kind: re.findall(r"`(\w+)`", " ".join(re.findall(r"^\| (`.*?`) \|", text, re.MULTILINE)))
            for kind, text in zip(rows[::2], rows[1::2], strict=True)}  # fmt: skip
    assert told == {kind.__name__: list(kind.__struct_fields__) for kind in (Trigger, Reading)}
