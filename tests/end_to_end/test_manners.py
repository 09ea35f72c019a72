"""What holds for every command: how it fails, how it is interrupted, what it looks like, what its help teaches."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import socket
import sys

import click
import pytest

from core.operations import webhooks
from core.operator_socket import SOCKET_FILE
from tests.end_to_end.place import DEADLINE_S, ROOT
from tests.end_to_end.terminal import on_a_terminal
from tests.tidy.reference import all_commands

URL = "https://example.com/"
NOT_TEXT = os.fsdecode(b"\xff\xfe")
ESCAPE = "\x1b["

NO_TEXT = (
    (("webhooks", "create", NOT_TEXT, URL), "name"),
    (("webhooks", "create", "n", URL, "--owner", NOT_TEXT), "owner"),
    (("webhooks", "create", "n", URL, "--target", NOT_TEXT, "--tenant", NOT_TEXT), "target, tenant"),
    (("webhooks", "change", "1", "--name", NOT_TEXT), "name"),
    (("webhooks", "list", "--tenant", NOT_TEXT), "tenant"),
    (("token", "create", "--role", "user", "--user", NOT_TEXT), "user"),
    (("token", "revoke", NOT_TEXT), "ids"),
)


@pytest.mark.parametrize("serves", [False, True])
async def test_what_is_not_text_is_said_wrongly(place, serves):
    """Bytes that are no UTF-8, which a terminal may well send, are refused in one line that says where, with exit code
    2, with and without `serve`."""
    await place.ask(webhooks.CREATE, webhooks.CreateWebhook("mine", URL))
    if serves:
        await place.serve()
    ran = await asyncio.gather(*[place.run(*words) for words, _ in NO_TEXT])
    for (words, where), one in zip(NO_TEXT, ran, strict=True):
        assert (words, one.code, one.out) == (words, 2, "")
        assert one.err == f"hookledger: this is not text, it holds bytes that are no UTF-8: {where}\n"


async def test_a_directory_may_have_any_name(place, tmp_path):
    """A path need not be text: a ledger in such a directory is used like any other."""
    data = tmp_path / NOT_TEXT
    made = await place.run("webhooks", "create", "mine", URL, "--data", str(data), "--json")
    assert made.code == 0, made.err
    missing = await place.run("webhooks", "list", "--data", str(data / "missing"))
    assert (missing.code, missing.err.count("\n")) == (1, 1)
    copy = tmp_path / f"copy {NOT_TEXT}"
    copied = await place.run("backup", str(copy), "--data", str(data), "--json")
    assert (copied.code, copied.json["file"], copy.exists()) == (0, str(copy), True)
    settings = (await place.run("config", "--data", str(data), "--json")).out
    assert json.dumps(str(data)) in settings
    place.environment["HOOKLEDGER_DATA"] = str(data)
    place.data = data
    serving = await place.serve()
    assert [one["name"] for one in (await place.run("webhooks", "list", "--json")).json] == ["mine"]
    assert await serving.stop() == 0


async def test_who_has_read_enough_is_not_shouted_at(place):
    """A list of any length into a reader that stops after a line: no word on standard error, and no failure."""
    for name in ("a" * 50, "b" * 50):
        await place.ask(webhooks.CREATE, webhooks.CreateWebhook(name, URL))
    await place.ask(webhooks.CREATE, webhooks.CreateWebhook("long", URL + "x" * 2_000))
    for words in ("webhooks list", "webhooks list --json", "webhooks show 4", "--help", "completion bash"):
        process = await asyncio.create_subprocess_shell(
            f"{sys.executable} -m hookledger {words} | true; echo ${{PIPESTATUS[0]}}",
            executable="/bin/bash",
            env={name: value for name, value in place.environment.items() if name != "PYTHONUNBUFFERED"},
            cwd=ROOT,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        async with asyncio.timeout(DEADLINE_S):
            assert await process.communicate() == (b"0\n", b"")


@pytest.mark.parametrize("words", [("webhooks", "list"), ("token", "create", "--role", "portal")])
async def test_ctrl_c_is_one_line(place, words):
    """A command that waits for its answer ends at once with 130, and without a traceback."""
    place.data.mkdir()
    asked = asyncio.Event()

    async def say_nothing(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        asked.set()
        await reader.read()
        writer.close()

    async with await asyncio.start_unix_server(say_nothing, place.data / SOCKET_FILE):
        process = await place.start(*words)
        async with asyncio.timeout(DEADLINE_S):
            await asked.wait()
            process.send_signal(signal.SIGINT)
            out, err = await process.communicate()
    assert (process.returncode, out, err.strip()) == (130, b"", b"hookledger: interrupted")


async def test_a_table_is_drawn_on_a_terminal_and_plain_elsewhere(place):
    """Colours on a terminal; none with NO_COLOR, and none in a pipe, where every row is one whole line."""
    made = await place.ask(webhooks.CREATE, webhooks.CreateWebhook("mine", URL + "x" * 300))
    drawn, plain = await asyncio.gather(
        on_a_terminal(place, "webhooks", "list"), on_a_terminal(place, "webhooks", "list", NO_COLOR="1")
    )
    assert (ESCAPE in drawn.out, ESCAPE in plain.out) == (True, False)
    piped = await place.run("webhooks", "list", COLUMNS="20")
    _, row = piped.out.splitlines()
    assert ESCAPE not in piped.out
    assert row.split() == [str(made.id), "1", "mine", "enabled", "everything", made.url]
    assert (await place.run("webhooks", "list", FORCE_COLOR="1")).out == piped.out


async def test_a_narrow_terminal_breaks_no_number(place):
    """Ids stay whole however narrow it is, and no column is squeezed to a letter or two."""
    made = [await place.ask(webhooks.CREATE, webhooks.CreateWebhook("with a long name", URL)) for _ in range(9)]
    token = await place.run("token", "create", "--role", "portal", "--json")
    shown = await on_a_terminal(place, "webhooks", "list", columns=30, NO_COLOR="1")
    assert {str(one.id) for one in made} <= set(shown.out.split())
    assert "with a long name" in shown.out
    listed = await on_a_terminal(place, "token", "list", columns=30, NO_COLOR="1")
    assert token.json["id"] in listed.out


async def test_errors_of_all_commands_begin_alike(place, receiver):
    """Also of those that are no operation: `listen` on a port that is taken, a directory that is none."""
    port = receiver.url.rpartition(":")[2]
    taken, no_secret, no_directory = await asyncio.gather(
        place.run("listen", "--port", port),
        place.run("listen", "--secret", "-"),
        place.run("webhooks", "list", "--data", __file__),
    )
    assert (taken.code, taken.err.count("\n")) == (1, 1)
    assert taken.err.startswith(f"hookledger: cannot listen on 127.0.0.1:{port}: ")
    assert (no_secret.code, no_secret.err) == (2, "hookledger: a secret is empty; see `hookledger listen --help`\n")
    assert no_directory.code == 2
    assert re.fullmatch(r"hookledger: .* is a file; see `hookledger webhooks list --help`\n", no_directory.err)


async def test_a_refused_connection_is_told_in_words(place, tmp_path):
    """Whom `publish --url` waits for, and why, without the inside of a library."""
    (tmp_path / "event").write_text("{}")
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{held.getsockname()[1]}"
        publishing = await place.start("publish", str(tmp_path / "event"), "--url", url, "--token", "-")
        publishing.stdin.write(b"hlt_x\n")
        async with asyncio.timeout(DEADLINE_S):
            said = (await publishing.stderr.readline()).decode()
    assert said == f"{url}/api/ledger/events does not answer (connection refused): waiting for it\n"


async def test_an_unknown_owner_is_warned_of(place):
    """It is made, and said on standard error that nobody knows them yet; nothing is said of an owner who is known."""
    words = ("webhooks", "create", "mine", URL, "--json")
    unknown = await place.run(*words, "--owner", "anna")
    assert unknown.code == 0
    assert "hookledger: nobody of tenant 1 is known as 'anna' yet" in unknown.err
    assert unknown.json["warnings"] == [unknown.err.removeprefix("hookledger: ").removesuffix("\n")]
    await place.token("admin")
    known = await place.run(*words, "--owner", "anna")
    assert (known.err, set(known.json)) == ("", {"id", "name", "url", "verifier", "secret"})


def test_every_command_teaches():
    """Each command's help begins with a sentence, has an example that is really of it, and says what to type next."""
    silent = []
    known = {path for path, _, _ in all_commands()}
    for path, command, _ in all_commands():
        if isinstance(command, click.Group):
            continue
        examples = re.findall(r"^  \$ (.*)$", command.epilog or "", re.MULTILINE)
        if not any(path in example for example in examples) or not (command.help or "").strip():
            silent.append(path)
    assert silent == []
    assert len(known) > 10


def test_examples_can_be_typed():
    """Every example in a help, and what it says to type next, is a command with flags that it has."""
    commands = {path: command for path, command, _ in all_commands()}
    wrong = []
    for path, command in commands.items():
        for line in re.findall(r"^  \$ .*?(hookledger .*?)(?: [|>]|\)|$)", command.epilog or "", re.MULTILINE):
            words = line.replace('"', "").split()
            named = max((one for one in commands if f"{line} ".startswith(f"{one} ")), key=len, default="hookledger")
            flags = {
                flag for parameter in commands[named].params for flag in (*parameter.opts, *parameter.secondary_opts)
            }
            unknown = [word for word in words if word.startswith("--") and word not in flags]
            if unknown or isinstance(commands[named], click.Group):
                wrong.append((path, line))
    assert wrong == []
