"""Redeliveries ask for access as it is by then; a story tells of it as it was."""

from __future__ import annotations

import pytest

from core.model.delivery import Created
from core.operations.delivery_story import SHOW, ShowDelivery
from tests.builders import SOURCE, open_office, our_plugins, sent
from tests.matching.processes import Shy

READERS = ["role:user", "group:sales", "user:rita"]
PEOPLE = {
    "ada": {"isAdmin": True},
    "uwe": {"groups": ["sales"]},
    "rita": {"isRoomAdmin": True},
    "sam": {"isRoomAdmin": True, "groups": ["sales"]},
}
CHANGES = [
    # who hears of it, what happens to them, and whether they may still know
    ("uwe", [], True),
    ("uwe", [{"type": "user.updated", "data": {"id": "uwe", "status": 2}}], False),
    ("uwe", [{"type": "user.updated", "data": {"id": "uwe", "role": "guest"}}], False),
    ("uwe", [{"type": "user.deleted", "data": {"id": "uwe"}}], False),
    ("uwe", [{"type": "user.updated", "data": {"id": "uwe", "groups": []}}], True),
    ("sam", [{"type": "user.updated", "data": {"id": "sam", "groups": []}}], False),
    ("sam", [{"type": "group.deleted", "data": {"id": "sales"}}], False),
    ("sam", [{"type": "user.updated", "data": {"id": "sam", "role": "user", "groups": []}}], True),
    ("rita", [{"type": "user.updated", "data": {"id": "rita", "role": "admin"}}], True),
    (None, [{"type": "user.deleted", "data": {"id": "uwe"}}], True),
]


async def an_office(data, owner, **given):
    """An office that knows these people, and a webhook of one of them."""
    office = open_office(data, **given)
    await office.start()
    people = [{"type": "user.created", "id": id, "data": {"id": id, **told}} for id, told in PEOPLE.items()]
    await office.intake.accept("1", sent({"type": "group.created", "data": {"id": "sales"}}, *people), SOURCE)
    await office.webhooks.create(
        tenant="1", name="any", url="http://h/", owner=owner, triggers=["file.moved"], target="7", by=None
    )
    return office


async def heard(office, **said):
    """The delivery of an event that the webhook hears of."""
    event = {"id": "it", "type": "file.moved", "data": {"id": 7}, "readers": READERS, **said}
    (answer,) = await office.intake.accept("1", sent(event), SOURCE)
    assert answer.deliveries == 1
    return answer.position + 1


async def happened(office, *events):
    told = [{"id": f"change {number}", **event} for number, event in enumerate(events)]
    answers = await office.intake.accept("1", sent(*told), SOURCE)
    assert not any(answer.is_duplicate for answer in answers)


async def redeliver(office, number):
    (told,) = await office.redeliveries.make([number], by="p", ticket="1")
    return told


@pytest.mark.parametrize(("owner", "changes", "may"), CHANGES)
async def test_who_may_not_know_any_more_is_not_told_again(owner, changes, may, tmp_path):
    """The owner's rights of today decide on an old event, by the readers it was recorded with."""
    office = await an_office(tmp_path, owner)
    number = await heard(office)
    await happened(office, *changes)
    told = await redeliver(office, number)
    assert (told.number is not None) == may
    assert told.why == (None if may else "its owner may not know of it any more")
    await office.close()


async def test_who_did_it_may_know_for_ever(tmp_path):
    """An actor is told of what they did themselves, whatever they are by now."""
    office = await an_office(tmp_path, "uwe")
    number = await heard(office, actor="uwe", readers=[])
    await happened(office, {"type": "user.updated", "data": {"id": "uwe", "role": "guest"}})
    assert (await redeliver(office, number)).why is None
    await office.close()


async def test_plugins_have_a_say_in_redeliveries(tmp_path):
    """A plugin that refuses is asked with the event as the portal sent it, and the owner as they are by now."""
    office = await an_office(tmp_path, "ada", plugins=our_plugins(shy=Shy()))
    hidden = await heard(office, data={"id": 7, "hidden": True}, readers=["everyone"])
    shown = await heard(office, id="other", readers=["everyone"])
    assert (await redeliver(office, hidden)).why is None
    await happened(office, {"type": "user.updated", "data": {"id": "ada", "role": "user"}})
    (told, other) = await office.redeliveries.make([hidden, shown], by="p", ticket="2")
    assert (told.why, other.why) == ("its owner may not know of it any more", None)
    await office.close()


async def test_while_a_plugin_cannot_be_asked_only_what_needs_no_asking_is_sent_again(tmp_path):
    """One that is lost, or hung, might refuse: then only the portal's own webhooks are sent anything again."""
    office = await an_office(tmp_path, "ada", plugins=our_plugins(shy=Shy()))
    await office.webhooks.create(tenant="1", name="own", url="http://h/", by=None)
    event = {"id": "it", "type": "file.moved", "data": {"id": 7}, "readers": ["everyone"]}
    (answer,) = await office.intake.accept("1", sent(event), SOURCE)
    numbers = [answer.position + 1, answer.position + 2]

    async def refusals(ticket):
        return [one.why for one in await office.redeliveries.make(numbers, by="p", ticket=ticket)]

    plugins = [plugin for plugin, _ in office.plugins]
    office.plugins.take(plugins, {"lost": "ImportError: no"})
    assert await refusals("1") == ["plugins that cannot be loaded: 'lost'", None]
    office.plugins.take(plugins, {})
    office.plugins.asker.conduct["shy"].rests_until = office.plugins.asker.timer() + 60
    assert await refusals("2") == ["the plugin 'shy' hung, and is left alone for a while", None]
    office.plugins.asker.conduct["shy"].rests_until = 0
    assert await refusals("3") == [None, None]
    await office.close()


async def test_a_webhook_is_sent_again_what_it_no_longer_asks_for(tmp_path):
    """Trigger and target are not asked again: it was sent to that webhook, and is wanted once more."""
    office = await an_office(tmp_path, None)
    number = await heard(office)
    assert (await redeliver(office, number)).why is None
    created = [recorded.event for recorded in office.reader.after(0) if isinstance(recorded.event, Created)]
    assert [event.webhook for event in created] == [created[0].webhook] * 2
    await office.close()


@pytest.mark.parametrize(
    ("owner", "said", "because"),
    [
        (None, {}, "it belongs to the portal itself"),
        ("uwe", {"actor": "uwe", "readers": []}, "its owner uwe did it"),
        ("uwe", {}, "its owner uwe is among the readers (role:user)"),
        ("sam", {}, "its owner sam is among the readers (group:sales)"),
        ("rita", {}, "its owner rita is among the readers (user:rita)"),
        ("rita", {"readers": ["everyone"]}, "its owner rita is among the readers (everyone)"),
        ("ada", {"readers": None}, "its owner ada is an admin, and no readers were named"),
    ],
)
async def test_a_story_says_why_it_was_sent(owner, said, because, tmp_path):
    """The reasons are those of the time: what became of webhook and owner since changes nothing."""
    office = await an_office(tmp_path, owner)
    number = await heard(office, **said)
    gone = [{"type": "user.deleted", "data": {"id": id}} for id in PEOPLE]
    await happened(office, *gone, {"type": "group.deleted", "data": {"id": "sales"}})
    told = await SHOW.run(office, ShowDelivery(number))
    assert told.why == ("it asks for file.moved", "it is about 7, the webhook's target", because)
    await office.close()
