"""Changing webhooks: what is recorded, what is refused, and what becomes of their deliveries."""

from __future__ import annotations

import asyncio

import msgspec
import pytest
from msgspec import UNSET

from core.errors import ConflictError, InvalidInputError, NotFoundError
from core.fates import fates
from core.ledger.unit import Entry, Unit
from core.model import delivery, webhook
from core.operations import webhook_changes, webhooks
from core.operations.operation import answer
from core.webhook_fields import Fields
from core.wire.signature import verifier
from tests.builders import NOW, SOURCE, open_office, sent, set_person, stream

URL = "https://receiver.example/"


@pytest.fixture(name="office")
async def _office(tmp_path):
    office = open_office(tmp_path / "data")
    await office.start()
    yield office
    await office.close()


async def make(office, name="mine", **said):
    made = await office.webhooks.create(**{"tenant": "1", "name": name, "url": URL, "by": "anna"} | said)
    return made.webhook


def events_of(office, known):
    return [one.event for one in office.reader.stream(known.id)][1:]


EVERY_FIELD = {
    "name": ("mine", "yours"),
    "url": (URL, "http://other.example/"),
    "owner": (None, "anna"),
    "triggers": ((), ("file.created", "file.updated")),
    "target": (None, "991"),
    "ssl": (True, False),
    "schedule_s": (None, (5, 60)),
}


async def test_every_field_can_be_changed_and_changed_back(office):
    """All fields at once are one recorded event with from and to; as they are already, they are none."""
    known = await make(office)
    there = Fields(**{name: to for name, (_, to) in EVERY_FIELD.items()})
    changed = await office.webhooks.change(known.number, there, by="bob")
    assert changed.changes == EVERY_FIELD
    assert {name: getattr(changed.webhook, name) for name in EVERY_FIELD} == {
        name: to for name, (_, to) in EVERY_FIELD.items()
    }
    assert (changed.webhook.modified_by, changed.webhook.version) == ("bob", 2)
    assert (await office.webhooks.change(known.number, there, by="bob")).changes == {}
    back = Fields(**{name: before for name, (before, _) in EVERY_FIELD.items()})
    await office.webhooks.change(known.number, back, by="bob")
    assert [type(one) for one in events_of(office, known)] == [webhook.Changed, webhook.Changed]
    as_before = {name: getattr(office.webhooks.get(known.number), name) for name in EVERY_FIELD}
    assert as_before == {name: before for name, (before, _) in EVERY_FIELD.items()}


@pytest.mark.parametrize("field", EVERY_FIELD)
async def test_a_field_that_is_not_said_stays(office, field):
    """One field is changed by itself, but that http needs `ssl` off as well."""
    known = await make(office)
    more = {"ssl": False} if field == "url" else {}
    changed = await office.webhooks.change(known.number, Fields(**{field: EVERY_FIELD[field][1]}, **more), by=None)
    assert set(changed.changes) == {field, *more}


async def test_triggers_are_kept_in_the_order_they_are_sent(office):
    """However they are typed; and the same ones in another order are no change."""
    known = await make(office)
    for triggers in (("file.updated", "file.created"), ("file.created", "file.updated", "file.created")):
        await office.webhooks.change(known.number, Fields(triggers=triggers), by=None)
    assert office.webhooks.get(known.number).triggers == ("file.created", "file.updated")
    await office.webhooks.change(known.number, Fields(triggers=("file.created", "*")), by=None)
    assert office.webhooks.get(known.number).triggers == ()
    assert len(events_of(office, known)) == 2


async def test_a_secret_is_reset_beside_other_changes_or_alone(office):
    """A new secret is sealed under its webhook, shown once, and takes the place of the old one; both in one unit."""
    known = await make(office)
    changed = await office.webhooks.change(known.number, Fields(name="b"), secret=None, by=None)
    assert [type(one) for one in events_of(office, known)] == [webhook.Changed, webhook.SecretReset]
    assert changed.shown.verifier == verifier(changed.shown.secret)
    sealed = office.reader.secret(changed.webhook.secret)
    assert office.master_key.open(sealed, known.id) == changed.shown.secret
    theirs = await office.webhooks.change(known.number, Fields(), secret="correct-horse", by=None)
    assert (theirs.shown.secret, theirs.shown.verifier) == (None, verifier("correct-horse"))
    assert office.webhooks.get(known.number).secret not in (known.secret, changed.webhook.secret)


REFUSED = [
    (Fields(name=" "), "empty"),
    (Fields(name="n" * 51), "51 characters"),
    (Fields(owner="o" * 101), "101 characters"),
    (Fields(owner="\x1b[31m"), "control characters"),
    (Fields(target=""), "empty"),
    (Fields(triggers=("file.create",)), "near: file.created"),
    (Fields(schedule_s=(5, 0)), "not 0"),
    (Fields(schedule_s=(604_801,)), "not 604801"),
    (Fields(schedule_s=(1,) * 51), "51 retries"),
]


@pytest.mark.parametrize(("fields", "says"), REFUSED)
async def test_what_a_webhook_may_not_be_it_does_not_become(office, fields, says):
    """A change is refused for what a new webhook would be refused for, and nothing of it is recorded."""
    known = await make(office)
    with pytest.raises(InvalidInputError, match=says):
        await office.webhooks.change(known.number, fields, secret=None, by=None)
    said = {name: value for name in fields.__struct_fields__ if (value := getattr(fields, name)) is not UNSET}
    with pytest.raises(InvalidInputError, match=says):
        await make(office, **said)
    assert office.webhooks.all() == [known]


async def test_a_url_is_checked_with_the_ssl_it_will_have(tmp_path):
    """Whichever of the two is changed, both are checked together; a name can be changed although the URL, which was
    allowed once, would not be now."""
    asked = []

    def check(url, ssl):
        asked.append((url, ssl))
        if len(asked) > 3:
            raise InvalidInputError("not any more")

    office = open_office(tmp_path / "data", check_url=check)
    await office.start()
    known = await make(office)
    await office.webhooks.change(known.number, Fields(url="http://b/", ssl=False), by=None)
    await office.webhooks.change(known.number, Fields(ssl=True), by=None)
    await office.webhooks.change(known.number, Fields(name="b"), by=None)
    assert asked == [(URL, True), ("http://b/", False), ("http://b/", True)]
    with pytest.raises(InvalidInputError, match="not any more"):
        await office.webhooks.change(known.number, Fields(url="http://c/"), by=None)
    await office.close()


async def test_several_are_switched_or_none(office):
    """Webhooks of any tenants in one unit; one that is not there leaves all as they are."""
    first, second = await make(office), await make(office, tenant="2")
    with pytest.raises(NotFoundError, match="no webhook 99"):
        await office.webhooks.switch(first.number, 99, enabled=False, by=None)
    assert office.webhooks.get(first.number).enabled
    head = office.writer.head
    done = await office.webhooks.switch(first.number, second.number, first.number, enabled=False, by=None)
    assert [known.number for known in done] == [first.number, second.number]
    assert office.writer.head == head + 2
    assert [known.number for known in await office.webhooks.delete(second.number, first.number, by=None)] == [
        second.number,
        first.number,
    ]
    assert office.webhooks.all() == []
    with pytest.raises(InvalidInputError, match="more than 1000") as raised:
        await office.webhooks.delete(*range(1_001), by=None)
    assert raised.value.limit == "WEBHOOKS_AT_ONCE_MAX"


async def test_two_changes_at_the_same_time_are_not_mixed(office):
    """Of two who change one webhook at the same moment, the second is told to look again."""
    known = await make(office)
    told = await asyncio.gather(
        office.webhooks.change(known.number, Fields(name="b"), by=None),
        office.webhooks.change(known.number, Fields(name="c"), by=None),
        return_exceptions=True,
    )
    assert [type(one).__name__ for one in told] == ["Changed", ConflictError.__name__]
    assert office.webhooks.get(known.number).name == "b"


async def deliver(office, known, id, *, is_cancelled=False):
    """A portal event for this webhook, whose delivery waits, or was cancelled just now."""
    event = {"id": id, "type": "file.created", "data": {"id": 1, "parentId": 2, "title": "t"}}
    (accepted,) = await office.intake.accept("1", sent(event), SOURCE)
    number = accepted.position + 1
    if is_cancelled:
        await cancel(office, known, number)
    return number


async def cancel(office, known, number):
    where = office.reader.at([number])[number].stream
    event = delivery.Cancelled("1", office.clock.now_ms(), known.number, number, "disabled")
    await office.writer.append([Unit([Entry(where, 2, event)])])


async def test_what_becomes_of_deliveries_is_told(office):
    """Who enables a webhook hears how many deliveries were cancelled since it was last disabled, not before; who
    disables or deletes it, how many wait."""
    known = await make(office)
    assert fates(office.views, office.reader, [known]) == {known.number: (0, 0)}
    _, second, _ = [await deliver(office, known, f"e{number}", is_cancelled=number == 0) for number in range(3)]
    office.alarms.turn_to(NOW + 10_000)
    (told,) = await answer(office, webhook_changes.DISABLE, webhook_changes.DisableWebhooks((known.number,)))
    assert (told.is_changed, told.cancelled, told.waiting) == (True, 0, 2)
    office.alarms.turn_to(NOW + 20_000)
    await cancel(office, known, second)
    (told,) = await answer(office, webhook_changes.ENABLE, webhook_changes.EnableWebhooks((known.number,)))
    assert (told.is_changed, told.cancelled, told.waiting) == (True, 1, 1)
    (told,) = await answer(office, webhook_changes.ENABLE, webhook_changes.EnableWebhooks((known.number,)))
    assert (told.is_changed, told.cancelled, told.waiting) == (False, None, None)


OWNERS = {"nobody": "known as 'nobody' yet", "gone": "terminated", "guest": "a guest", "anna": None}


@pytest.mark.parametrize("owner", OWNERS)
async def test_an_owner_who_would_hear_of_nothing_is_told_of(office, owner):
    """A webhook whose owner is unknown, terminated or a guest is made, with a warning; one whose owner is known is not
    warned of, and neither is a change of something else."""
    known = {"gone": {"status": "terminated"}, "guest": {"role": "guest"}, "anna": {}}
    for number, (id, said) in enumerate(known.items()):
        await office.writer.append([Unit([Entry(stream(number + 1), 1, set_person(id, **said))])])
    made = await answer(office, webhooks.CREATE, webhooks.CreateWebhook("mine", URL, owner=owner))
    other = await answer(office, webhooks.CREATE, webhooks.CreateWebhook("other", URL))
    changed = await answer(office, webhook_changes.CHANGE, webhook_changes.ChangeWebhook(id=other.id, owner=owner))
    renamed = await answer(office, webhook_changes.CHANGE, webhook_changes.ChangeWebhook(id=other.id, name="third"))
    if OWNERS[owner] is None:
        assert made.warnings == changed.warnings == ()
    else:
        assert OWNERS[owner] in made.warnings[0]
        assert OWNERS[owner] in changed.warnings[0]
    assert (other.warnings, renamed.warnings) == ((), ())


def test_what_is_left_out_of_a_change_is_not_none():
    """Over the socket, `target: null` is no target and a target that is left out stays as it is."""
    kind = webhook_changes.ChangeWebhook
    assert msgspec.json.decode(b'{"id":7}', type=kind).target is UNSET
    assert msgspec.json.decode(b'{"id":7,"target":null}', type=kind).target is None
    assert msgspec.json.encode(kind(id=7, secret=None)) == b'{"id":7,"secret":null}'
