"""A hook that hangs is interrupted, its plugin rests for a while, and its faults are counted."""

from __future__ import annotations

import re
import socket
import threading
from types import ModuleType

import pytest

from core.asking import UNASKED
from core.errors import OverloadedError
from core.hook_guard import HookGuard, HookOverdueError
from core.limits import HOOK_REST_S, HOOK_SLOW_S, HUNG_EVENTS_MAX, PLUGIN_NOTE_S
from core.loading import Loader
from core.plugins import Plugins, Spoiled
from hookledger import Owner, Reading, Trigger, hookimpl

FINE = Reading(payload={"id": 1}, target_type="kite", target_ids=(1,))


class Timer:
    """Seconds that only the test lets pass."""

    def __init__(self):
        self.now = 1_000.0

    def __call__(self):
        return self.now


def hang():
    """As the guard ends it, without waiting for it."""
    raise HookOverdueError("did not answer")


def loaded(read_event, timer, **more):
    kites, swings = ModuleType("kites"), ModuleType("swings")
    kites.register_triggers = hookimpl(lambda: [Trigger(name="kite.flown", order=1)])
    kites.read_event = hookimpl(read_event)
    swings.register_triggers = hookimpl(lambda: [Trigger(name="swing.swung", order=2)])
    swings.read_event = hookimpl(lambda events: [FINE for _ in events])
    for name, hook in more.items():
        setattr(kites, name, hookimpl(hook))
    return Plugins(*Loader((), {"kites": kites, "swings": swings}).load(), timer=timer)


@pytest.fixture(name="timer")
def _timer():
    return Timer()


@pytest.fixture(name="events")
def _events(a_portal_event):
    """Ten of them, the fourth of which is a bad one."""
    return [a_portal_event("kite.flown", {"id": n, "bad": n == 4}, id=f"e{n}") for n in range(1, 11)]


def reading(bad):
    """A read_event that does so at a bad event."""

    def read_event(events):
        return [bad() if event.data["bad"] else FINE for event in events]

    return read_event


@pytest.fixture(name="guard")
def _guard():
    guard = HookGuard(hook_s=0.1, tick_s=0.02)
    yield guard
    guard.close()


def turn():
    while True:
        pass


def backtrack():
    re.match(r"(a+)+$", "a" * 64 + "b")


def listen():
    mine, _theirs = socket.socketpair()
    with mine, _theirs:
        mine.recv(1)


def stubborn():
    while True:
        try:
            threading.Event().wait()
        except Exception:  # noqa: BLE001 - as plugins do that try again and again
            continue


@pytest.mark.parametrize("bad", [turn, backtrack, listen, stubborn])
def test_whatever_it_hangs_in_it_is_interrupted(bad, events, nobody, timer, guard):
    """A loop, a regular expression, a network, a lock: the event is spoiled, and the fault says where it stood."""
    plugins = loaded(reading(bad), timer)
    plugins.asker.guard = guard
    outcomes = plugins.read(events, nobody)
    assert outcomes[:3] == [FINE] * 3
    assert isinstance(outcomes[3], Spoiled)
    assert re.fullmatch(r"did not answer within 0\.1 s \(HOOK_S\), at line \d+ of .*test_hanging", outcomes[3].fault)


def test_one_that_answers_in_time_is_left_alone(events, nobody, guard):
    """The guard interrupts nothing but a hook that is late, and stops ticking when nothing is called any more."""
    plugins = loaded(reading(lambda: FINE), Timer())
    plugins.asker.guard = guard
    for _ in range(1_000):
        assert plugins.read(events, nobody) == [FINE] * 10
    quiet = threading.Event()
    assert not quiet.wait(0.3)
    assert not guard._ticks


def test_an_event_is_spoiled_only_if_it_hangs_twice(events, nobody, timer):
    """A machine that stood still for a moment spoils nothing: what hung is asked once more, alone."""
    calls = []

    def read_event(events):
        calls.append(len(events))
        return [FINE for _ in events] if len(calls) > 1 else hang()

    plugins = loaded(read_event, timer)
    assert plugins.read(events[:1], nobody) == [FINE]
    assert calls == [1, 1]
    assert not plugins.is_troubled


def test_after_one_that_hangs_no_other_is_asked_about(events, nobody, timer):
    """Each would take its time, and everything waits: what is not asked about is to be sent again."""
    plugins = loaded(reading(hang), timer)
    assert plugins.read(events, nobody) == [FINE] * 3 + [Spoiled("kites", "0", "did not answer")] + [UNASKED] * 6


def test_who_hangs_is_left_alone_for_a_while(a_portal_event, nobody, timer):
    """Meanwhile its events are refused and the others' are not; then it is asked again, and again left alone."""
    plugins = loaded(reading(hang), timer)
    for number in range(2):
        plugins.read([a_portal_event("kite.flown", {"bad": True}, id=f"bad{number}")], nobody)
        plugins.check({"swing.swung", "unknown.type"})
        timer.now += HOOK_REST_S - 0.5
        with pytest.raises(OverloadedError, match="the plugin 'kites' hung") as refused:
            plugins.check({"swing.swung", "kite.flown"})
        assert (refused.value.retry_after_s, refused.value.limit) == (1, "HOOK_REST_S")
        assert plugins.reasons() == []
        assert "plugin 'kites' hung, and is not asked for 0 s more; its events are answered 503" in plugins.notes()
        timer.now += 0.5
        plugins.check({"kite.flown"})


def test_nobody_is_asked_again_over_what_they_hung(events, nobody, timer):
    """The portal sends it again with what came after it: those are read, and the one that hung costs no time."""
    calls = []

    def read_event(events):
        calls.append([event.data["id"] for event in events])
        return reading(hang)(events)

    plugins = loaded(read_event, timer)
    plugins.read(events, nobody)
    timer.now += HOOK_REST_S
    del calls[:]
    fault = Spoiled("kites", "0", "did not answer")
    assert plugins.read(events, nobody) == [FINE] * 3 + [fault] + [FINE] * 6
    assert calls == [[1, 2, 3, 5, 6, 7, 8, 9, 10]]


def test_what_hung_is_not_remembered_for_ever(nobody, a_portal_event, timer):
    """Only the newest are; an older one hangs once more."""
    plugins = loaded(reading(hang), timer)
    for number in range(HUNG_EVENTS_MAX + 10):
        plugins.read([a_portal_event("kite.flown", {"bad": True}, id=f"bad{number}")], nobody)
        timer.now += HOOK_REST_S
    assert len(plugins.asker._hung) == HUNG_EVENTS_MAX


def test_a_judge_that_hangs_refuses_and_stops_the_intake(events, nobody, timer):
    """Nobody can say who may know of anything, and no event is taken for a while; the one it hung over is a no."""
    plugins = loaded(reading(lambda: FINE), timer, can_see=lambda pairs: hang())
    pairs = [(Owner(f"u{number}", "user", ()), events[0]) for number in range(10)]
    assert plugins.can_see(pairs, nobody) is None
    assert plugins.can_see([(pairs[0][0], events[1])], nobody) is None, "it is not asked"
    assert plugins.can_see(pairs, nobody) == [False] * 10
    with pytest.raises(OverloadedError, match="hung"):
        plugins.check({"swing.swung"})
    assert "has a say about all events" in plugins.reasons()[0]


@pytest.mark.parametrize("exits", [SystemExit, GeneratorExit])
def test_one_that_wants_to_exit_does_not(exits, events, nobody, timer):
    """`sys.exit` in a hook is a fault like any other, and ends nothing."""

    def leave():
        raise exits("bye")

    outcomes = loaded(reading(leave), timer).read(events, nobody)
    assert outcomes == [FINE] * 3 + [Spoiled("kites", "0", f"{exits.__name__}: bye")] + [FINE] * 6


class Bomb(list):
    """A sequence that cannot even be counted."""

    def __len__(self):
        raise RuntimeError("tick")


def test_answers_may_be_garbage_of_any_kind(events, nobody, timer):
    """What raises when it is looked at spoils each event, and nothing else."""
    outcomes = loaded(lambda events: Bomb(), timer).read(events, nobody)
    assert outcomes == [Spoiled("kites", "0", "RuntimeError: tick")] * 10


def test_faults_are_counted_with_the_newest(events, nobody, timer):
    """How often, and what it was, is kept since the start; readiness notes it for a while."""
    plugins = loaded(reading(lambda: 1 / 0), timer)
    assert plugins.notes() == []
    for _ in range(3):
        plugins.read(events, nobody)
    timer.now += 5
    (conduct,) = [conduct for plugin, conduct in plugins if plugin.name == "kites"]
    assert (conduct.faults, conduct.fault) == (3, "read_event: ZeroDivisionError: division by zero")
    assert plugins.notes() == [
        "plugin 'kites' failed 3 times, 5 s ago the last time: read_event: ZeroDivisionError: division by zero"
    ]
    timer.now += PLUGIN_NOTE_S
    assert plugins.notes() == []


def test_the_log_is_not_filled(events, nobody, timer, caplog):
    """A plugin that fails at each event is logged now and then, with how often it failed."""
    plugins = loaded(reading(lambda: 1 / 0), timer)
    for _ in range(1_000):
        timer.now += 0.011
        plugins.read(events, nobody)
    assert [record.getMessage().split(": ")[1] for record in caplog.records] == [
        "read_event failed (1 new, 1 since the start)",
        "read_event failed (910 new, 911 since the start)",
    ]


def test_a_slow_hook_is_counted_and_logged(events, nobody, timer, caplog):
    """Everything waits for it: what takes longer than HOOK_SLOW_S is told, with its name and how long."""

    def read_event(events):
        timer.now += HOOK_SLOW_S + 0.25
        return [FINE for _ in events]

    plugins = loaded(read_event, timer)
    assert plugins.read(events, nobody) == [FINE] * 10
    (conduct,) = [conduct for plugin, conduct in plugins if plugin.name == "kites"]
    assert (conduct.slow, conduct.slowest_s, conduct.faults) == (1, HOOK_SLOW_S + 0.25, 0)
    assert "plugin 'kites' is slow: read_event took 0.8 s for 10" in caplog.text
