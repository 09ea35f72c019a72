"""`hookledger completion`: a real bash offers our words, and a prompt is never kept waiting or written over."""

from __future__ import annotations

import asyncio
import os
import shlex
import sys

import pytest

from core.commands.completion import WHERE
from core.operations import tokens, webhooks
from tests.end_to_end.place import ALLOW, DEADLINE_S, ROOT

URL = "https://example.com/"
ASK = """
eval "$(hookledger completion bash)"
COMP_WORDS=({words})
COMP_CWORD={place}
_hookledger_completion hookledger
printf '%s\\n' "${{COMPREPLY[@]}}"
"""


@pytest.fixture(name="offered")
def _offered(place, tmp_path):
    """What bash offers for the last of these words, one a line; nothing else may have been written."""
    program = tmp_path / "bin" / "hookledger"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m hookledger "$@"\n')
    program.chmod(0o755)

    async def offered(*words, **environment):
        python_path = os.pathsep.join(filter(None, [environment.pop("PYTHONPATH", ""), str(ROOT)]))
        typed = " ".join(map(shlex.quote, ("hookledger", *words)))
        process = await asyncio.create_subprocess_exec(
            "bash",
            "--norc",
            "-c",
            ASK.format(words=typed, place=len(words)),
            env={
                **place.environment,
                "PATH": f"{program.parent}{os.pathsep}{os.environ['PATH']}",
                "PYTHONPATH": python_path,
                **environment,
            },
            cwd=tmp_path,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        async with asyncio.timeout(DEADLINE_S):
            out, err = await process.communicate()
        assert err == b""
        return out.decode().split()

    return offered


async def test_commands_and_options_are_offered(offered):
    """Each command by how it begins, those below it, and what it takes."""
    assert "webhooks" in await offered("")
    assert await offered("webh") == ["webhooks"]
    assert await offered("webhooks", "e") == ["enable"]
    assert await offered("webhooks", "change", "--all-") == ["--all-triggers"]
    assert await offered("token", "create", "--role", "room") == ["room-admin"]


async def test_triggers_are_offered(offered):
    """Those of the installed plugins that begin so."""
    assert await offered("webhooks", "create", "n", URL, "--trigger", "form.su") == ["form.submit"]
    assert {"file.created", "file.updated"} <= set(await offered("webhooks", "change", "1", "--trigger", "file."))


async def test_the_ledger_that_a_file_names_is_looked_into(place, offered, tmp_path):
    """Where neither a flag nor the environment says which ledger, the settings file in the folder does, and a broken
    one does no harm."""
    made = await place.ask(webhooks.CREATE, webhooks.CreateWebhook("mine", URL))
    file = tmp_path / "hookledger.toml"
    file.write_text(f'data = "{place.data}"')
    assert await offered("webhooks", "show", "", HOOKLEDGER_DATA="", HOOKLEDGER_CONFIG="") == [str(made.id)]
    file.write_text("data = [")
    assert await offered("webhooks", "show", "", HOOKLEDGER_DATA="", HOOKLEDGER_CONFIG="") == []


async def test_ids_are_offered_with_and_without_serve(place, offered):
    """Numbers of webhooks that were not deleted, and ids of tokens that were not revoked, from whichever ledger the
    command would ask."""
    made = [await place.ask(webhooks.CREATE, webhooks.CreateWebhook(name, URL)) for name in ("a", "b", "c")]
    token = await place.ask(tokens.CREATE, tokens.CreateToken("portal"))
    await place.run("webhooks", "delete", str(made[0].id), "--yes")
    ids = [str(one.id) for one in made[1:]]
    assert await offered("webhooks", "show", "") == ids
    serving = await place.serve(*ALLOW)
    later = await place.ask(webhooks.CREATE, webhooks.CreateWebhook("d", URL))
    assert await offered("webhooks", "disable", "") == [*ids, str(later.id)]
    assert await offered("webhooks", "disable", ids[0], str(later.id)[:1]) == [
        one for one in [*ids, str(later.id)] if one.startswith(str(later.id)[:1])
    ]
    assert await offered("token", "revoke", token.id[:4]) == [token.id]
    await place.run("token", "revoke", token.id)
    assert await offered("token", "revoke", "") == []
    assert await serving.stop() == 0
    assert await offered("webhooks", "show", "--data", str(place.data / "nowhere"), "") == []
    assert await offered("webhooks", "show", "--data", str(place.data), "", HOOKLEDGER_DATA="/nowhere") == [
        *ids,
        str(later.id),
    ]


@pytest.mark.parametrize("state", ["missing", "empty", "broken", "secret"])
async def test_a_ledger_that_cannot_be_read_offers_nothing(place, offered, state):
    """Whatever stands where the ledger should be, Tab offers nothing, says nothing, and changes nothing."""
    place.data.mkdir()
    ledger = place.data / "ledger.sqlite"
    if state != "missing":
        ledger.write_bytes({"empty": b"", "broken": b"SQLite format 3\0" + b"\xff" * 9_000, "secret": b"x"}[state])
    before = sorted(place.data.iterdir())
    assert await offered("webhooks", "show", "") == []
    assert sorted(place.data.iterdir()) == before


@pytest.mark.parametrize(
    "body",
    [
        "import time; time.sleep(3600)",
        "while True: pass",
        "import re; re.match('(a+)+$', 'a' * 64 + 'b')",
        "raise SystemExit('no')",
        "print('hello'); 1/0",
    ],
)
async def test_a_plugin_that_hangs_or_fails_keeps_nobody_waiting(offered, tmp_path, body):
    """A plugin that never comes back from its import, or does not survive it, costs a second and takes nobody else's
    triggers; one that lets nobody run beside it costs two, and there are no words."""
    site = tmp_path / "site"
    info = site / "sleepy-1.dist-info"
    info.mkdir(parents=True)
    (site / "sleepy_plugin.py").write_text(body)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: sleepy\nVersion: 1\n")
    (info / "entry_points.txt").write_text("[hookledger]\nsleepy = sleepy_plugin\n")
    words = await offered("webhooks", "create", "n", URL, "--trigger", "file.cr", PYTHONPATH=str(site))
    assert words == ([] if "match" in body else ["file.created"])


async def test_the_script_says_where_it_is_put(place):
    """Every shell's script begins with how to use it, in comments, and is that shell's."""
    scripts = await asyncio.gather(*[place.run("completion", shell) for shell in WHERE])
    for shell, ran in zip(WHERE, scripts, strict=True):
        assert (ran.code, ran.err) == (0, "")
        assert f"hookledger completion {shell}" in ran.out.partition("\n_")[0]
        assert f"_HOOKLEDGER_COMPLETE={shell}_complete" in ran.out
    assert scripts[list(WHERE).index("zsh")].out.startswith("#compdef hookledger\n")
    refused = await place.run("completion", "tcsh")
    assert (refused.code, refused.err.count("\n")) == (2, 1)
