"""Plugins in trouble: what is refused is taken later, and nothing that was answered for is lost or undone."""

from __future__ import annotations

from types import ModuleType

import pytest

from core.errors import OverloadedError
from core.hook_guard import HookOverdueError
from core.intake import Accepted
from core.limits import HOOK_REST_S
from core.loading import Loader
from core.plugins import Plugins
from hookledger import Reading, SetPerson, Trigger, hookimpl
from tests.builders import SOURCE, open_office, sent
from tests.plugins.conftest import ours


class Timer:
    now = 0.0

    def __call__(self):
        return self.now


def kites(**hooks):
    """A plugin whose events hang, raise or answer garbage as their data say, and teach who is who."""
    module = ModuleType("kites")

    def read(event):
        if event.data.get("hangs"):
            raise HookOverdueError("did not answer")
        payload = Trap(event.data) if event.data.get("traps") else dict(event.data)
        changes = [SetPerson(id=event.data["person"])] if "person" in event.data else []
        return Reading(payload=payload, target_type="kite", changes=changes)

    hooks = {
        "register_triggers": lambda: [
            Trigger(name="kite.flown", order=1),
            Trigger(name="kite.named", order=2, changes_directory=True),
        ],
        "read_event": lambda events: [read(event) for event in events],
        **hooks,
    }
    for name, hook in hooks.items():
        setattr(module, name, hookimpl(hook))
    return module


class Trap(dict):
    """A payload that looks well, and raises when it is written."""

    def items(self):
        raise LookupError("snap")

    __iter__ = keys = values = items


@pytest.fixture(name="timer")
def _timer():
    return Timer()


@pytest.fixture(name="office")
async def _office(tmp_path, timer):
    plugins = Plugins(*Loader((), ours() | {"kites": kites()}).load(), timer=timer)
    office = open_office(tmp_path / "data", plugins=plugins)
    await office.start()
    yield office
    await office.close()


def kite(type="kite.flown", **data):
    return {"type": type, "data": {"id": 1, **data}}


async def test_what_came_before_the_one_that_hangs_is_kept(office, timer):
    """Up to it, all are recorded, it with its fault; the request is refused, and sent again later it is complete."""
    events = sent(kite(), {"type": "file.created"}, kite(hangs=True), kite(), {"type": "file.updated"})
    with pytest.raises(OverloadedError, match="'kites' hung"):
        await office.intake.accept("1", events, SOURCE)
    timer.now += HOOK_REST_S
    results = await office.intake.accept("1", events, SOURCE)
    assert [result.is_duplicate for result in results] == [True, True, True, False, True]
    assert [result.id for result in results if result.note] == ["e2"]
    assert "the plugin 'kites' could not read it: did not answer" in results[2].note


async def test_others_are_taken_meanwhile(office, timer):
    """While a plugin is left alone, events of other plugins, and of types that nobody knows, are accepted."""
    with pytest.raises(OverloadedError):
        await office.intake.accept("1", sent(kite(hangs=True), kite()), SOURCE)
    others = await office.intake.accept("1", sent({"type": "file.created"}, {"type": "no.body"}), SOURCE)
    assert all(isinstance(result, Accepted) for result in others)
    with pytest.raises(OverloadedError):
        await office.intake.accept("1", sent(kite()), SOURCE)


async def test_who_is_who_is_kept_for_what_was_recorded_only(office, timer):
    """A person whom an event taught that was recorded is known; one of an event that was not asked about is not."""
    events = sent(kite("kite.named", person="ann"), kite("kite.named", hangs=True), kite("kite.named", person="ben"))
    with pytest.raises(OverloadedError):
        await office.intake.accept("1", events, SOURCE)
    people = office.directory.tenant("1").people
    assert (people.person("ann") is not None, people.person("ben") is not None) == (True, False)
    timer.now += HOOK_REST_S
    await office.intake.accept("1", events, SOURCE)
    assert people.person("ben") is not None


async def test_a_payload_that_raises_when_it_is_written_spoils_its_event(office):
    """Garbage that looks well until it is encoded is the plugin's fault, and the events beside it are recorded."""
    results = await office.intake.accept("1", sent(kite(), kite(traps=True), kite()), SOURCE)
    assert [result.note for result in results] == [
        None,
        "the plugin 'kites' could not read it: LookupError: snap",
        None,
    ]
    assert any("LookupError: snap" in note for note in office.plugins.notes())


async def test_a_broken_plugin_has_not_gone(tmp_path):
    """While one cannot be loaded, nothing is taken, and the ledger does not say that it was removed."""
    good = ours() | {"kites": kites()}
    office = open_office(tmp_path / "data", plugins=Plugins(*Loader((), good).load()))
    await office.start()
    await office.close()

    broken = kites(register_triggers=lambda: 1 / 0)
    office = open_office(tmp_path / "data", plugins=Plugins(*Loader((), ours() | {"kites": broken}).load()))
    await office.start()
    for type in ("kite.flown", "file.created", "no.body"):
        with pytest.raises(OverloadedError, match="plugins that cannot be loaded: 'kites'"):
            await office.intake.accept("1", sent({"type": type}), SOURCE)
    assert "kites" in office.directory.plugins
    await office.close()
