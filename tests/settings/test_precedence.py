"""Where a setting's value comes from: flag, environment, file, default, in that order."""

from __future__ import annotations

import json
import os

import pytest

import hookledger
from core.settings import table

SAYS = {
    # setting: what the file says, what the environment says, what the flag says; as JSON shows the three
    "data": ('"from-file"', "from-environment", ["from-flag"], "from-file", "from-environment", "from-flag"),
    "database": (
        '"postgresql://u:p%40ss@h/file"',
        "postgres://h/environment?password=p&sslmode=require",
        ["postgresql://u@h/flag"],
        "postgresql://u:…@h/file",
        "postgres://h/environment?password=…&sslmode=require",
        "postgresql://u@h/flag",
    ),
    "schema": ('"a"', "b", ["c"], "a", "b", "c"),
    "role": ('["api"]', "outbox worker", ["api", "worker"], ["api"], ["outbox", "worker"], ["api", "worker"]),
    "kafka": ('"a:1"', "b:2,c:3", ["d:4"], "a:1", "b:2,c:3", "d:4"),
    "inbox_topic": ('["a", "b"]', "c d", ["e", "f"], ["a", "b"], ["c", "d"], ["e", "f"]),
    "inbox_tenant": ('["a.{tenant}"]', "b.{tenant}", ["c.{tenant}"], ["a.{tenant}"], ["b.{tenant}"], ["c.{tenant}"]),
    "inbox_dead_topic": ('"a"', "b", ["c"], "a", "b", "c"),
    "inbox_group": ('"a"', "b", ["c"], "a", "b", "c"),
    "deliveries_topic": ('"a"', "b", ["c"], "a", "b", "c"),
    "deliveries_group": ('"a"', "b", ["c"], "a", "b", "c"),
    "ledger_topic": ('"a"', "b", ["c"], "a", "b", "c"),
    "host": ('"0.0.0.0"', "::", ["::1"], "0.0.0.0", "::", "::1"),
    "port": ("1", "2", ["3"], 1, 2, 3),
    "allow_target": (
        '["10.0.0.0/8", "fd00::/8"]',
        "10.0.0.0/16 10.1.0.0/16",
        ["127.0.0.1", "::1"],
        ["10.0.0.0/8", "fd00::/8"],
        ["10.0.0.0/16", "10.1.0.0/16"],
        ["127.0.0.1/32", "::1/128"],
    ),
    "log_format": ('"json"', "console", ["json"], "json", "console", "json"),
    "log_level": ('"error"', "debug", ["warning"], "error", "debug", "warning"),
    "stop_s": ("5", "0.5", ["60"], 5.0, 0.5, 60.0),
    "young_requests_max": ("1", "2", ["16_384"], 1, 2, 16_384),
    "ready_bytes_max": ("1_048_576", "1048577", ["2000000"], 1_048_576, 1_048_577, 2_000_000),
    "intake_bytes_max": ("8_388_608", "8388609", ["9000000"], 8_388_608, 8_388_609, 9_000_000),
}
FILE, ENVIRONMENT, FLAG, AS_FILE, AS_ENVIRONMENT, AS_FLAG = range(6)


@pytest.fixture(name="here", autouse=True)
def _here(tmp_path, monkeypatch):
    """An empty folder to stand in, and no variable of ours."""
    for name in [name for name in os.environ if name.startswith("HOOKLEDGER_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(name="config")
def _config(capsys):
    """What `hookledger config --json` prints after these words."""

    def ask(*words):
        with pytest.raises(SystemExit) as end:
            hookledger.main(["config", "--json", *words])
        out, err = capsys.readouterr()
        assert end.value.code == 0, err
        return json.loads(out)

    return ask


def test_every_setting_is_tried():
    """The table of this test has all settings that there are."""
    assert list(SAYS) == list(table())


@pytest.mark.parametrize("name", SAYS)
def test_a_flag_wins_over_the_environment_over_the_file_over_the_default(name, here, monkeypatch, config):
    """Each place that says something is heard where none above it does, and is named as the source."""
    row, says = table()[name], SAYS[name]
    by_default = config()["settings"][name]
    (here / "hookledger.toml").write_text(f"{name} = {says[FILE]}\n")
    by_file = config()["settings"][name]
    monkeypatch.setenv(f"HOOKLEDGER_{name.upper()}", says[ENVIRONMENT])
    by_environment = config()["settings"][name]
    flags = [word for value in says[FLAG] for word in (f"--{name.replace('_', '-')}", value)]
    by_flag = config(*flags)["settings"][name]

    assert by_default["source"] == "default"
    assert (by_file["source"], by_file["value"]) == ("file", says[AS_FILE])
    assert (by_environment["source"], by_environment["value"]) == ("environment", says[AS_ENVIRONMENT])
    assert (by_flag["source"], by_flag["value"]) == ("flag", says[AS_FLAG])
    assert (by_flag["flag"], by_flag["variable"]) == (row.flag, row.variable)


def test_each_setting_has_its_own_source(here, monkeypatch, config):
    """What one place says of one setting moves no other."""
    (here / "hookledger.toml").write_text('host = "0.0.0.0"\nport = 1\n')
    monkeypatch.setenv("HOOKLEDGER_PORT", "2")
    said = config("--stop-s", "3")["settings"]
    sources = {name: one["source"] for name, one in said.items() if one["source"] != "default"}
    assert sources == {"host": "file", "port": "environment", "stop_s": "flag"}


def test_a_variable_that_is_empty_says_nothing(here, monkeypatch, config):
    """Whoever starts us with `HOOKLEDGER_PORT=` means no port."""
    (here / "hookledger.toml").write_text("port = 1\n")
    monkeypatch.setenv("HOOKLEDGER_PORT", "")
    assert config()["settings"]["port"]["source"] == "file"


def test_the_file_is_named_by_flag_or_environment_or_lies_here(here, monkeypatch, config):
    """`--config` wins over HOOKLEDGER_CONFIG, and that over `hookledger.toml`; only one file is read."""
    (here / "hookledger.toml").write_text('host = "here"\nport = 1\n')
    for name in ("environment", "flag"):
        (here / f"{name}.toml").write_text(f'host = "{name}"\n')
    told = [config()]
    monkeypatch.setenv("HOOKLEDGER_CONFIG", "environment.toml")
    told += [config(), config("--config", "flag.toml"), config("--config", "/dev/null")]
    assert [one["file"] for one in told] == ["hookledger.toml", "environment.toml", "flag.toml", "/dev/null"]
    assert [one["settings"]["host"]["value"] for one in told] == ["here", "environment", "flag", "127.0.0.1"]
    assert [one["settings"]["port"]["source"] for one in told] == ["file", "default", "default", "default"]


def test_a_path_in_the_file_is_meant_from_the_file(here, config):
    """The same file names the same ledger wherever one stands; an absolute path stays what it is."""
    folder = here / "etc"
    folder.mkdir()
    for said, meant in (("data", str(folder / "data")), ("/var/lib/x", "/var/lib/x")):
        (folder / "x.toml").write_text(f'data = "{said}"\n')
        assert config("--config", str(folder / "x.toml"))["settings"]["data"]["value"] == meant


def test_a_secret_is_never_printed(monkeypatch, config, capsys):
    """Of the master key, `config` says whether it is set, and nothing else."""
    assert config()["settings"]["key"] == {
        "value": None,
        "source": "default",
        "flag": None,
        "variable": "HOOKLEDGER_KEY",
    }
    monkeypatch.setenv("HOOKLEDGER_KEY", "a5" * 32)
    assert config()["settings"]["key"]["source"] == "environment"
    with pytest.raises(SystemExit):
        hookledger.main(["config"])
    told = "".join(capsys.readouterr())
    assert "key" in told
    assert "a5a5" not in told + json.dumps(config())


def test_people_see_one_line_for_each(here, capsys):
    """A table says the value and where it is from: the flag, the variable or the file by name."""
    (here / "hookledger.toml").write_text('host = "0.0.0.0"\n')
    with pytest.raises(SystemExit):
        hookledger.main(["config", "--port", "9000"])
    lines = {line.split()[0]: " ".join(line.split()[1:]) for line in capsys.readouterr().out.splitlines()}
    assert lines["host"] == "0.0.0.0 file hookledger.toml"
    assert lines["port"] == "9000 flag --port"
    assert lines["stop_s"] == "25 default"
    assert list(lines) == ["setting", *SAYS, "key"]


def test_a_variable_that_is_none_of_ours_is_named(monkeypatch, capsys):
    """A misspelt variable says nothing to anybody, so `config` says so, with what comes near."""
    monkeypatch.setenv("HOOKLEDGER_PROT", "1")
    with pytest.raises(SystemExit):
        hookledger.main(["config"])
    assert "HOOKLEDGER_PROT is in the environment, and no setting; what comes near: port" in capsys.readouterr().err
