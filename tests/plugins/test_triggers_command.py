"""`hookledger triggers`: the catalogue, and what one trigger looks like."""

from __future__ import annotations

import json

import pytest

import hookledger


@pytest.fixture(name="run")
def _run(capsys, tmp_path, monkeypatch):
    """Exit code, standard output and standard error of `hookledger triggers` with these words."""
    monkeypatch.chdir(tmp_path)

    def run(*words):
        with pytest.raises(SystemExit) as end:
            hookledger.main(["triggers", *words])
        return end.value.code, *capsys.readouterr()

    return run


def test_the_catalogue_needs_no_ledger(run, tmp_path):
    """All triggers in their order, with number, roles and plugin; nothing is made on disk."""
    lines = run()[1].splitlines()
    told = json.loads(run("--json")[1])
    assert lines[0].split() == ["trigger", "bit", "who", "may", "subscribe", "plugin", "says", "who", "is", "who"]
    assert [line.split()[0] for line in lines[1:]] == [one["name"] for one in told]
    assert len(told) == 36
    assert told[0] == {
        "name": "user.created",
        "bit": 0,
        "roles": ["admin", "room-admin"],
        "plugin": "users",
        "version": told[0]["version"],
        "changes_directory": True,
        "samples": 1,
    }
    assert list(tmp_path.iterdir()) == []


def test_one_trigger_can_be_looked_at(run):
    """By its name; its number is shown as receivers get it."""
    code, out, _ = run("file.created")
    assert (code, "triggerId 128" in out) == (0, True)
    assert json.loads(run("file.created", "--json")[1])["bit"] == 7


def test_a_name_that_nobody_knows_is_answered_with_what_comes_near(run):
    """One line, and exit code 1."""
    near = "hookledger: no plugin knows the trigger 'file.create'; what comes near: file.created\n"
    assert run("file.create") == (1, "", near)
    assert run("x")[2].endswith("`hookledger triggers` lists all\n")


@pytest.mark.parametrize("words", [("--schema",), ("--sample",), ("file.created", "--schema", "--sample")])
def test_what_is_asked_for_must_be_clear(words, run):
    """A schema or a sample is that of one trigger, and one of both at a time."""
    code, out, err = run(*words)
    assert (code, out) == (2, "")
    assert "--schema" in err


def test_a_schema_is_json(run):
    """Of what a portal sends, and of what a receiver gets."""
    told = json.loads(run("form.submit", "--schema")[1])
    assert told["payload"]["required"] == ["originalForm", "submittedForm"]
    assert "contentLength" not in told["data"]["properties"]


def test_programs_are_told_what_a_receiver_gets(run):
    """With `--json` the event stands beside the body of a request made of it, and beside the schemas if one wants."""
    told = json.loads(run("file.moved", "--sample", "--schema", "--json")[1])
    assert set(told) == {"schema", "event", "received"}
    assert told["received"]["event"]["createBy"] == told["event"]["actor"]
    assert told["received"]["payload"]["id"] == told["event"]["data"]["id"]
    assert set(told["received"]) == {"event", "payload", "webhook"}


def test_a_sample_is_one_line_for_the_next_program(run):
    """Where it is piped on, the event stands alone."""
    code, out, err = run("room.created", "--sample")
    assert (code, out.count("\n"), err) == (0, 1, "")
    assert json.loads(out)["type"] == "room.created"
