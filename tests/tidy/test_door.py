"""hookledger.py: what plugin authors import, and how the command ends."""

from __future__ import annotations

import errno
import subprocess
import sys
import types

import click
import pytest

import core.commands.table
import delivery.commands
import hookledger
from core.commands.door import Door, Named
from core.errors import HookledgerError, InvalidInputError, NotFoundError
from tests.tidy.tree import ROOT

SAYS = {
    "missing": NotFoundError("there is no webhook 7"),
    "wrong": InvalidInputError("--target: expected one id"),
    "own": click.UsageError("give a name"),
    "any": HookledgerError("no"),
    "interrupt": KeyboardInterrupt(),
    "full": OSError(errno.ENOSPC, "No space left on device", "/data/file"),
}
ENDS = {
    "interrupt": (130, "", "\nhookledger: interrupted\n"),
    "full": (1, "", "hookledger: /data/file: No space left on device\n"),
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

    a_module("small", fail=fail, serve=serve, listen=click.Command("listen"))
    named = {name: Named(f"small:{name}", f"Do {name}.") for name in ("fail", "serve", "listen", "gone")}
    a_module("core.commands.table", COMMANDS={"fail": named["fail"], "gone": Named("nowhere:gone", "Do nothing.")})
    a_module("delivery.commands", COMMANDS={"serve": named["serve"], "listen": named["listen"]})

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
    """The commands for people and those that run the service are listed together, none of them imported for it."""
    code, out, _ = run("--help")
    assert code == 0
    assert [word for word in ("fail", "gone", "listen", "serve") if f"\n  {word}" not in out] == []


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
    """A command that cannot be read is answered with one line that names its help, and exit code 2."""
    code, out, err = run(*args)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert err.startswith("hookledger: ")
    assert "see `hookledger" in err


@pytest.mark.parametrize("word", ["interrupt", "full"])
def test_what_comes_from_outside_is_no_traceback(run, word):
    """Ctrl-C ends with 130 and one line; what the machine could not do is told in its words, and ends with 1."""
    assert run("fail", word) == ENDS[word]


def test_what_the_list_says_of_a_command_is_what_it_says_itself():
    """Commands are listed without being imported, with the first sentence of their own help."""
    named = {**core.commands.table.COMMANDS, **delivery.commands.COMMANDS}
    ctx = click.Context(click.Command("hookledger"))
    door = Door(named)
    said = {name: (door.get_command(ctx, name).name, first_sentence(door.get_command(ctx, name))) for name in named}
    assert said == {name: (name, one.summary) for name, one in named.items()}


def first_sentence(command):
    return command.get_short_help_str(limit=1_000)
