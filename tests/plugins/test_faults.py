"""A plugin's fault spoils what it is about, and nothing else."""

from __future__ import annotations

from types import ModuleType

import pytest

from core.loading import load_plugins
from core.plugins import Spoiled
from hookledger import Owner, Reading, RemoveGroup, SetGroup, SetPerson, Trigger, Unreadable, hookimpl

FINE = Reading(payload={"id": 1}, target_type="kite", target_ids=(1,))


def loaded(read_event=None, **more):
    """Kites, whose events are read as told, beside swings, which always work."""
    kites, swings = ModuleType("kites"), ModuleType("swings")
    triggers = [Trigger(name="kite.flown", order=1), Trigger(name="kite.named", order=2, changes_directory=True)]
    kites.__version__ = "1.2"
    kites.register_triggers = hookimpl(lambda: triggers)
    kites.read_event = hookimpl(read_event or (lambda events: [FINE for _ in events]))
    for name, hook in more.items():
        setattr(kites, name, hookimpl(hook))
    swings.register_triggers = hookimpl(lambda: [Trigger(name="swing.swung", order=3)])
    swings.read_event = hookimpl(lambda events: [Reading(payload={}, target_type="swing") for _ in events])
    return load_plugins(only=(), extra={"kites": kites, "swings": swings})


def spoiled(fault):
    return Spoiled("kites", "1.2", fault)


@pytest.fixture
def events(a_portal_event):
    """Ten of them, the fourth of which is a bad one."""
    return [a_portal_event("kite.flown", {"id": n, "bad": n == 4}, id=f"e{n}") for n in range(1, 11)]


def test_one_raiser_of_ten_spoils_one(events, nobody):
    """The batch is asked for again one by one: nine readings and one spoiled event, with what was raised."""
    calls = []

    def read_event(events):
        calls.append(len(events))
        assert all(isinstance(event.data["bad"], bool) for event in events)
        return [FINE if not event.data["bad"] else 1 / 0 for event in events]

    outcomes = loaded(read_event).read(events, nobody)
    assert outcomes == [FINE] * 3 + [spoiled("ZeroDivisionError: division by zero")] + [FINE] * 6
    assert calls == [10] + [1] * 10


@pytest.mark.parametrize("count", [0, 9, 11])
def test_a_wrong_number_of_answers_is_asked_for_again(count, events, nobody):
    """Which answer belongs to which event is not guessed; alone, each is answered."""
    outcomes = loaded(lambda events: [FINE] * (1 if len(events) == 1 else count)).read(events, nobody)
    assert outcomes == [FINE] * 10


def test_a_wrong_number_for_one_event_spoils_it(events, nobody):
    """An event that gets no answer even alone is spoiled, and no other."""
    read_event = loaded(lambda events: [FINE for event in events if not event.data["bad"]])
    assert read_event.read(events, nobody) == [FINE] * 3 + [spoiled("answered 0 times to 1")] + [FINE] * 6


@pytest.mark.parametrize(
    ("answer", "fault"),
    [
        (None, "answered NoneType, neither Reading nor Unreadable"),
        ({"payload": {}}, "answered dict, neither Reading nor Unreadable"),
        (Unreadable("data.id", None), "answered an Unreadable whose path or reason is no str"),
        (Reading(payload=None, target_type="kite"), "payload is NoneType, not a mapping"),
        (Reading(payload={}, target_type=None), "target_type is NoneType, not str"),
        (Reading(payload={}, target_type="kite", target_ids=7), "target_ids is int, not a sequence"),
        (Reading(payload={}, target_type="kite", target_ids="7"), "target_ids is str, not a sequence"),
        (Reading(payload={}, target_type="kite", target_ids=[None]), "target_ids holds NoneType, not str or an int"),
        (Reading(payload={}, target_type="kite", target_ids=[2**64]), "target_ids holds int, not str or an int of 64"),
        (Reading(payload={}, target_type="kite", readers="everyone"), "readers is neither None nor a sequence of str"),
        (Reading(payload={}, target_type="kite", readers=[1]), "readers is neither None nor a sequence of str"),
        (Reading(payload={}, target_type="kite", changes=[SetGroup(id="g")]), "its trigger does not say changes_dir"),
        (Reading(payload={}, target_type="kite", changes=None), "changes is NoneType, not a sequence"),
    ],
)
def test_an_answer_that_is_none_spoils_its_event(answer, fault, events, nobody):
    """An answer of the wrong type, or made of wrong types, is found here and not while it is recorded."""
    outcomes = loaded(lambda events: [answer if event.data["bad"] else FINE for event in events]).read(events, nobody)
    assert [outcome for outcome in outcomes if outcome is not FINE] == [outcomes[3]]
    assert isinstance(outcomes[3], Spoiled)
    assert fault in outcomes[3].fault


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ("Ada", "changes holds str, which is no change"),
        (SetPerson(id=""), "SetPerson needs an id"),
        (RemoveGroup(id=7), "RemoveGroup needs an id"),
        (SetPerson(id="u1", role="boss"), "SetPerson has an unknown role"),
        (SetPerson(id="u1", status="asleep"), "SetPerson has an unknown status"),
        (SetPerson(id="u1", groups="g1"), "SetPerson.groups is neither None nor a sequence of str"),
        (SetPerson(id="u1", joins=[1]), "SetPerson.joins or .leaves is not a sequence of str"),
        (SetPerson(id="u1", leaves=None), "SetPerson.joins or .leaves is not a sequence of str"),
    ],
)
def test_a_change_that_is_none_spoils_its_event(change, fault, nobody, a_portal_event):
    """The directory learns only what it can keep."""
    fine = Reading(payload={}, target_type="kite", changes=[SetPerson(id="u1", role="user", joins=["g1"])])
    wrong = Reading(payload={}, target_type="kite", changes=[change])
    plugins = loaded(lambda events: [event.data["answer"] for event in events])
    for answer, outcome in ((fine, fine), (wrong, spoiled(fault))):
        assert plugins.read([a_portal_event("kite.named", {"answer": answer})], nobody) == [outcome]


@pytest.mark.parametrize(
    ("answers", "fault"),
    [
        (lambda events: None, "answered NoneType, not a sequence"),
        (lambda events: iter([FINE]), "answered list_iterator, not a sequence"),
        (lambda events: {FINE.target_type: FINE}, "answered dict, not a sequence"),
    ],
)
def test_answers_are_a_sequence(answers, fault, events, nobody):
    """What is no sequence answers nothing."""
    assert loaded(answers).read(events, nobody) == [spoiled(fault)] * 10


def test_faults_stay_with_their_plugin(events, nobody, a_portal_event):
    """Events of other plugins in the same batch are read, in their places."""
    swing = a_portal_event("swing.swung")

    def read_event(events):
        raise KeyError("wind")

    first, *others = loaded(read_event).read([swing, events[0], swing], nobody)
    assert others == [spoiled("KeyError: 'wind'"), first]
    assert first.target_type == "swing"


def test_a_fault_is_bounded_and_can_be_stored(events, nobody):
    """Whatever text a plugin raises, what is recorded is one line of 500 characters at most."""

    def read_event(events):
        raise ValueError("\ud800\n" + "x" * 10_000)

    (outcome,) = loaded(read_event).read(events[:1], nobody)
    assert outcome.fault.startswith("ValueError: \\ud800 xxx")
    assert len(outcome.fault.encode()) < 600


def test_an_error_that_cannot_be_told_is_contained(events, nobody):
    """Even an exception whose text raises spoils its own event only."""

    class SulkingError(Exception):
        def __str__(self):
            raise RuntimeError("no")

    def read_event(events):
        raise SulkingError

    (outcome,) = loaded(read_event).read(events[:1], nobody)
    assert "SulkingError" in outcome.fault


def test_a_batch_cannot_be_changed(events, nobody):
    """A plugin that drops events from its batch is at fault, and drops them from nobody else's."""

    def read_event(events):
        events.pop()
        return [FINE]

    assert "AttributeError" in loaded(read_event).read(events, nobody)[0].fault
    assert len(events) == 10


def test_a_later_fault_names_the_plugin(events, nobody):
    """A payload that cannot be written is the fault of who registered the trigger."""
    assert loaded().spoiled("kite.flown", TypeError("a set")) == spoiled("TypeError: a set")


@pytest.fixture
def pairs(events):
    """The ten events, each with the owner of some webhook."""
    return [(Owner(f"u{event.data['id']}", "user", ()), event) for event in events]


def test_without_can_see_nobody_refuses(pairs, nobody):
    """No plugin has a say: all may see, and the caller can know it beforehand."""
    plugins = loaded()
    assert not plugins.has_can_see
    assert plugins.can_see(pairs, nobody) == [True] * 10


def test_any_plugin_may_refuse(pairs, nobody):
    """Answers of all plugins are joined: one no is a no; and they are asked about all plugins' events."""
    odd, low = ModuleType("odd"), ModuleType("low")
    odd.can_see = hookimpl(lambda pairs: [event.data["id"] % 2 == 1 for _, event in pairs])
    low.can_see = hookimpl(lambda pairs, directory: [int(owner.id[1:]) < 6 for owner, _ in pairs])
    plugins = load_plugins(only=(), extra={"odd": odd, "low": low})
    assert plugins.has_can_see
    assert [pair[1].data["id"] for pair, may in zip(pairs, plugins.can_see(pairs, nobody), strict=True) if may] == [
        1,
        3,
        5,
    ]
    assert plugins.can_see([], nobody) == []


@pytest.mark.parametrize(
    "bad", [lambda: 1 / 0, lambda: None, lambda: "yes", lambda: 1], ids=["raises", "None", "text", "number"]
)
def test_a_doubtful_answer_is_a_no(bad, pairs, nobody, caplog):
    """A plugin that fails on a pair refuses that pair and no other, and the log says which plugin it was."""
    plugins = loaded(can_see=lambda pairs: [bad() if event.data["bad"] else True for _, event in pairs])
    assert plugins.can_see(pairs, nobody) == [True] * 3 + [False] + [True] * 6
    assert "plugin 'kites': can_see failed (1 new, 1 since the start)" in caplog.text


def test_a_wrong_number_of_verdicts_is_asked_for_again(pairs, nobody):
    """Which verdict belongs to which pair is not guessed."""
    plugins = loaded(can_see=lambda pairs: [event.data["id"] != 7 for _, event in pairs][:3])
    assert plugins.can_see(pairs, nobody) == [number != 7 for number in range(1, 11)]
    assert loaded(can_see=lambda pairs: None).can_see(pairs, nobody) == [False] * 10
