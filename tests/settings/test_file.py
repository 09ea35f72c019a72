"""A file with settings that cannot be: what the error says."""

from __future__ import annotations

import pytest

from core.errors import InvalidInputError
from core.settings import read_file

WRONG = (
    ("prot = 1", "'prot' is no setting; what comes near: port"),
    ("young-requests-max = 1", "what comes near: young_requests_max"),
    ("young = 1", "what comes near: young_requests_max"),
    ("[serve]\nport = 1", "'serve' is no setting; there are data, database, schema, role, kafka"),
    ('key = "a5a5"', "it is a secret: set HOOKLEDGER_KEY"),
    ('port = "8420"', "port is '8420', and must be a whole number from 0 to 65535"),
    ("port = 65536", "port is 65536, and must be a whole number from 0 to 65535"),
    ("port = true", "port is true, and must be a whole number"),
    ("port = 1.0", "port is 1.0, and must be a whole number"),
    ("stop_s = -1", "stop_s is -1, and must be a number of seconds from 0 to 3600"),
    ("stop_s = nan", "stop_s is nan, and must be a number of seconds"),
    ("stop_s = true", "stop_s is true, and must be a number of seconds"),
    ('log_level = "warn"', "log_level is 'warn', and must be one of debug, info, warning, error"),
    ('data = ""', "data is '', and must be the path of a folder"),
    ('data = "a\\u0000b"', "data is 'a\\x00b', and must be the path of a folder"),
    ('host = "a\\u0000b"', "host is 'a\\x00b', and must be a text"),
    (f"port = {'[' * 5_000}", "it is nested too deep"),
    ("host = 1", "host is 1, and must be a text"),
    ("host = {}", "host is a table, and must be a text"),
    ('allow_target = "10.0.0.0/8"', "must be a list of networks like 192.168.1.0/24"),
    ('allow_target = ["10.0.0.1/8"]', "must be a list of networks like 192.168.1.0/24"),
    ("allow_target = [10]", "must be a list of networks like 192.168.1.0/24"),
    ("intake_bytes_max = 8388607", "must be a whole number from 8388608"),
    ("port = x", "is not TOML: Invalid value (at line 1, column 8)"),
    ("port = 1\nport = 2", "is not TOML: Cannot overwrite a value"),
    ("host = '\\xff'", "is not TOML: it is not UTF-8"),
)


@pytest.mark.parametrize(("text", "fault"), WRONG)
def test_what_cannot_be_is_one_line_with_file_and_key(text, fault, tmp_path):
    """The error names the file, the key, what it is, and what was expected or comes near; and no secret."""
    file = tmp_path / "my.toml"
    file.write_bytes(text.encode().replace(b"\\xff", b"\xff"))
    with pytest.raises(InvalidInputError) as refused:
        read_file(file)
    told = str(refused.value)
    assert told.startswith(str(file))
    assert fault in told
    assert "\n" not in told
    assert "a5a5" not in told


def test_a_long_value_is_cut(tmp_path):
    """Whatever stands in the file, the error stays a line that can be read."""
    (tmp_path / "my.toml").write_text(f'port = "{"x" * 10_000}"')
    with pytest.raises(InvalidInputError) as refused:
        read_file(tmp_path / "my.toml")
    assert len(str(refused.value)) < 400


def test_a_file_that_is_not_there_is_said_so(tmp_path):
    """A file that somebody named must be there."""
    with pytest.raises(InvalidInputError, match=r"nowhere\.toml cannot be read: No such file"):
        read_file(tmp_path / "nowhere.toml")


def test_an_empty_file_says_nothing(tmp_path):
    """All defaults stand."""
    (tmp_path / "my.toml").write_text("# nothing yet\n")
    assert read_file(tmp_path / "my.toml") == {}
