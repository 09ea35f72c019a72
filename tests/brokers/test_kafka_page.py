"""What docs/kafka.md says, done as it says: every command and program in it, on a real broker and a real `serve`."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from kafka import KafkaProducer

from core.commands.door import door_of
from delivery.commands import COMMANDS
from delivery.kafka.settings import read
from tests.brokers.reader import DEADLINE_S
from tests.end_to_end.conftest import _place, _receiver  # noqa: F401 -- fixtures
from tests.tidy.tree import ROOT

PAGE = (ROOT / "docs" / "kafka.md").read_text(encoding="utf-8")
ALLOW = ("--allow-target", "127.0.0.0/8")
OPTIONS = {"-b", "-t", "-k", "-H", "-z", "-l"}
"""Of kcat's, those that take a word."""


def blocks(kind):
    return re.findall(rf"^```{kind}\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


def commands():
    """All that are typed, each as one line."""
    typed = "".join(blocks("console")).replace("\\\n", " ").replace("|\n", "| ")
    return [line.removeprefix("$ ") for line in typed.splitlines()]


PRODUCING = [command for command in commands() if "kcat -P" in command or "kafka-python producer" in command]


def typed(command, folder):
    """What it prints."""
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    words = {"cwd": folder, "env": {**os.environ, "PATH": path}, "capture_output": True, "text": True}
    ran = subprocess.run(command, shell=True, check=False, timeout=DEADLINE_S, **words)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


def as_kcat(command, address, folder):
    """Where there is no kcat: what it would write, one record a line, written by kafka-python."""
    said, _, kcat = command.rpartition("| ")
    words = shlex.split(kcat)[2:]
    options = [(name, words[index + 1]) for index, name in enumerate(words) if name in OPTIONS]
    named = dict(options)
    headers = [tuple(word.split("=", 1)) for name, word in options if name == "-H"]
    value = (folder / named["-l"]).read_text() if "-l" in named else shlex.split(said)[1]
    producer = KafkaProducer(bootstrap_servers=address, compression_type=named.get("-z"))
    for line in value.splitlines():
        key = named["-k"].encode() if "-k" in named else None
        producer.send(named["-t"], line.encode(), key, [(name, text.encode()) for name, text in headers]).get(20)
    producer.close()


@pytest.fixture(name="there")
def _there(apache, tmp_path):
    """A page whose broker and topics are there, and a file as it names one."""
    events, dead = apache.new_topic(partitions=2), apache.new_topic(partitions=1)
    lines = [json.dumps({"id": f"line{n}", "type": "file.updated", "data": {"id": n}}) for n in range(3)]
    (tmp_path / "events.ndjson").write_text("\n".join(lines) + "\n")

    def there(text):
        text = text.replace("broker-1:9092", apache.address)
        return text.replace("portal.events.dead", dead).replace("portal.events", events)

    there.topics, there.folder = (events, dead), tmp_path
    return there


async def test_what_is_produced_as_the_page_says_is_delivered(apache, place, receiver, there):
    """Each of its events arrives once, whatever writes it. What is none is listed as the page says, and by kcat too."""
    events, dead = there.topics
    words = ("--kafka", apache.address, "--inbox-topic", events, "--inbox-dead-topic", dead, *ALLOW)
    made = await place.run("webhooks", "create", "all", f"{receiver.url}/x", "--no-ssl", *ALLOW)
    assert made.code == 0, made.err
    serving = await place.serve(*words)
    for command in map(there, PRODUCING):
        if "kcat" in command and shutil.which("kcat") is None:
            await asyncio.to_thread(as_kcat, command, apache.address, there.folder)
        else:
            await asyncio.to_thread(typed, command, there.folder)
    for program in map(there, blocks("python")):
        await asyncio.to_thread(exec, program, {})
    expected = {f"k{n}" for n in range(1, 9)} | {"line0", "line1", "line2"}
    told = [json.loads((await receiver.next()).body) for _ in expected]
    assert len({one["event"]["id"] for one in told}) == len(expected)
    await asyncio.to_thread(exec, there(blocks("python")[0]).replace('"k8"', '""'), {})
    async with asyncio.timeout(DEADLINE_S):
        while not (listed := (await place.run("dead", "list", "--json", *words[:2], "--inbox-dead-topic", dead)).out):
            pass
    assert await serving.stop() == 0
    assert json.loads(listed)["reason"] == "$.id: expected str of length >= 1"
    (show,) = [there(command) for command in commands() if "kcat -C -e" in command]
    if shutil.which("kcat"):
        shown = await asyncio.to_thread(typed, show, there.folder)
        assert "0/0 hookledger-reason=$.id: expected str of length >= 1" in shown


def test_every_command_of_the_page_is_done_or_is_ours():
    """No example is left out by chance: what is not run above can be read by the command it names."""
    rest = [command for command in commands() if command not in PRODUCING and "kcat -C" not in command]
    door = door_of(COMMANDS)
    for command in rest:
        words = shlex.split(command)
        if words[0] == "pip":
            continue
        assert words.pop(0) == "hookledger"
        context = door.make_context("hookledger", words)
        while (found := context.command) and hasattr(found, "resolve_command"):
            _, below, left = found.resolve_command(context, [*context._protected_args, *context.args])
            context = below.make_context(below.name, left, parent=context)
    assert len(PRODUCING) == 7
    assert len(rest) == 7


@pytest.mark.parametrize("block", blocks("sh"))
def test_every_setting_of_the_page_is_one(block):
    """And is read as it stands."""
    said = dict(line.split("=", 1) for line in block.splitlines())
    assert len(read("broker-1:9092", said).shown()) == len(said) >= 5
