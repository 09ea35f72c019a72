"""hookledger.py: what plugin authors import, and how the command ends."""

from __future__ import annotations

import subprocess
import sys
import types

import click
import pytest

import hookledger
from core.errors import HookledgerError, InvalidInputError, NotFoundError
from tests.tidy.tree import ROOT

SAYS = {
    "missing": NotFoundError("there is no webhook 7"),
    "wrong": InvalidInputError("--target: expected one id"),
    "own": click.UsageError("give a name"),
    "any": HookledgerError("no"),
}


@pytest.fixture(name="run")
def _run(monkeypatch, capsys):
    """Run the command on small commands of our own in place of the real ones; exit code, stdout, stderr."""

    @click.command()
    @click.argument("word")
    def fail(word):
        raise SAYS[word]

    @click.command()
    def serve():
        click.echo("serving")

    def a_module(name, **attributes):
        module = types.ModuleType(name)
        vars(module).update(attributes)
        monkeypatch.setitem(sys.modules, name, module)

    a_module("core.commands.table", commands=[fail])
    a_module("delivery.commands", commands=[click.Command("listen")])
    a_module("delivery.serve", serve=serve)

    def run(*args):
        with pytest.raises(SystemExit) as end:
            hookledger.main(args)
        out, err = capsys.readouterr()
        return end.value.code, out, err

    return run


def test_the_door_offers_what_it_lists():
    """Every name of the public face is there, listed once, and in order."""
    assert sorted(set(hookledger.__all__), key=lambda name: (name[0].islower(), name)) == hookledger.__all__
    assert [name for name in hookledger.__all__ if not hasattr(hookledger, name)] == []


def test_what_plugin_authors_import_brings_no_commands():
    """A plugin that imports the public face loads neither the service nor what it stands on."""
    heavy = {"aiohttp", "click", "core.commands", "core.ledger", "delivery", "kafka", "rich", "sqlite3", "uvloop"}
    code = f"import sys, hookledger; print(sorted({heavy!r} & set(sys.modules)))"
    ran = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert ran.stdout == "[]\n"


def test_the_commands_of_all_parts_are_behind_one_door(run):
    """The commands for people, those for receivers, and serve are listed together."""
    code, out, _ = run("--help")
    assert code == 0
    assert [word for word in ("fail", "listen", "serve") if f"\n  {word}" not in out] == []


def test_a_command_that_is_done_ends_with_0(run):
    """A command that says nothing is wrong ends with exit code 0."""
    assert run("serve") == (0, "serving\n", "")


@pytest.mark.parametrize("word", ["missing", "any"])
def test_what_could_not_be_done_is_one_line_and_1(run, word):
    """A command that could not do what was asked says why in one line, and ends with exit code 1."""
    assert run("fail", word) == (1, "", f"hookledger: {SAYS[word]}\n")


def test_what_was_said_wrongly_is_one_line_and_2(run):
    """Input that is refused by what it means ends as input that is refused by how it is written."""
    assert run("fail", "wrong") == (2, "", "hookledger: --target: expected one id\n")


@pytest.mark.parametrize("args", [("fail", "own"), ("fail", "--colour"), ("paint",)])
def test_a_misspelt_command_shows_how_it_is_spelt(run, args):
    """A command that cannot be read is answered with its usage, and exit code 2."""
    code, out, err = run(*args)
    assert (code, out) == (2, "")
    assert "Usage: hookledger" in err
