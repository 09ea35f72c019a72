"""Who may know of what, rule by rule: the first that applies decides."""

from __future__ import annotations

import ast
import sys

import pytest

from tests.builders import SOURCE, open_office, our_plugins, sent
from tests.matching.history import recorded_hearers, told_plainly
from tests.matching.processes import Shy, refuses
from tests.oracle import listen
from tests.tidy.tree import ROOT

PEOPLE = {
    "adam": {"isOwner": True},
    "ada": {"isAdmin": True},
    "rita": {"isRoomAdmin": True, "groups": ["sales"]},
    "uwe": {"groups": ["sales"]},
    "ute": {},
    "gus": {"isVisitor": True, "groups": ["sales"]},
    "tom": {"isAdmin": True, "status": 2},
    "pia": {"status": 4, "role": "user"},
}
"""Who is who in the portal of these tests; `portal` owns what belongs to the portal itself, `nobody` is unknown."""

OWNERS = [*PEOPLE, "nobody", "portal"]

CASES = [
    # an event, and whose webhooks hear of it
    ({"type": "file.moved"}, "adam ada portal"),
    ({"type": "file.moved", "actor": "ute"}, "adam ada portal ute"),
    ({"type": "file.moved", "actor": "gus"}, "adam ada portal gus"),
    ({"type": "file.moved", "actor": "tom"}, "adam ada portal tom"),
    ({"type": "file.moved", "actor": "nobody"}, "adam ada portal nobody"),
    ({"type": "file.moved", "readers": []}, "portal"),
    ({"type": "file.moved", "readers": None}, "adam ada portal"),
    ({"type": "file.moved", "readers": ["everyone"]}, "adam ada rita uwe ute pia portal"),
    ({"type": "file.moved", "readers": ["user:ute", "user:gus", "user:tom", "user:nobody"]}, "ute portal"),
    ({"type": "file.moved", "readers": ["group:sales"]}, "rita uwe portal"),
    ({"type": "file.moved", "readers": ["group:none", "role:room-admin"]}, "rita portal"),
    ({"type": "file.moved", "readers": ["role:user"]}, "uwe ute pia portal"),
    ({"type": "file.moved", "readers": ["role:guest"]}, "portal"),
    ({"type": "file.moved", "readers": ["role:admin"]}, "adam ada portal"),
    ({"type": "folder.moved", "data": {"id": 1, "hidden": True}, "readers": ["everyone"]}, "adam ada portal"),
    ({"type": "folder.moved", "data": {"id": 1, "hidden": True}, "actor": "uwe"}, "adam ada uwe portal"),
    ({"type": "user.created", "data": {"id": "new"}}, "adam ada rita portal"),
    ({"type": "user.created", "data": {"id": "nobody", "isAdmin": True}}, "adam ada rita portal"),
    ({"type": "user.updated", "data": {"id": "ute"}}, "adam ada rita ute portal"),
    ({"type": "user.updated", "data": {"id": "gus"}}, "adam ada portal"),
    ({"type": "user.updated", "data": {"id": "gus", "role": "user"}}, "adam ada rita portal"),
    ({"type": "user.updated", "data": {"id": "ute", "isVisitor": True}}, "adam ada ute portal"),
    ({"type": "user.deleted", "data": {"id": "uwe"}}, "adam ada rita uwe portal"),
    ({"type": "user.deleted", "data": {"id": "gus"}}, "adam ada portal"),
    ({"type": "user.updated", "data": {"id": "ute"}, "readers": ["user:uwe"]}, "uwe portal"),
    ({"type": "group.updated", "data": {"id": "sales", "members": ["ute"]}}, "adam ada rita portal"),
    ({"type": "group.deleted", "data": {"id": "sales"}, "actor": "uwe"}, "adam ada rita uwe portal"),
    ({"type": "kite.flown", "readers": ["everyone"]}, ""),
]


async def a_portal(data):
    """An office that knows these people, each of whom owns a webhook."""
    office = open_office(data, plugins=our_plugins(shy=Shy()))
    await office.start()
    owners = {}
    for owner in OWNERS:
        made = await office.webhooks.create(
            tenant="1", name=owner, url="http://h/", owner=None if owner == "portal" else owner, by=None
        )
        owners[made.webhook.number] = owner
    people = [{"type": "user.created", "id": id, "data": {"id": id, **told}} for id, told in PEOPLE.items()]
    await office.intake.accept("1", sent(*people), SOURCE)
    return office, owners


@pytest.mark.parametrize(("event", "hearers"), CASES, ids=[f"{n}-{case[0]['type']}" for n, case in enumerate(CASES)])
async def test_the_first_rule_that_applies_decides(event, hearers, tmp_path):
    """Another's event is heard by the portal, its actor, and those among its readers whom nothing forbids it."""
    office, owners = await a_portal(tmp_path)
    (answer,) = await office.intake.accept("1", sent({"id": "it", **event}), SOURCE)
    recorded = recorded_hearers(office.reader)[answer.position]
    heard, _ = listen(told_plainly(office.reader), [refuses])
    await office.close()
    assert {owners[number] for number in recorded} == set(hearers.split())
    assert {owners[number] for number in heard[answer.position]} == set(hearers.split())


@pytest.mark.parametrize(
    ("asked", "event", "is_heard"),
    [
        ({}, {"type": "room.created"}, True),
        ({"triggers": ["room.created", "file.moved"]}, {"type": "room.created"}, True),
        ({"triggers": ["file.moved"]}, {"type": "room.created"}, False),
        ({"target": "7"}, {"type": "file.moved", "data": {"id": 7}}, True),
        ({"target": "7"}, {"type": "folder.moved", "data": {"id": "7"}}, True),
        ({"target": "07"}, {"type": "file.moved", "data": {"id": 7}}, False),
        ({"target": "7"}, {"type": "file.moved", "data": {"id": 8, "parentId": 7}}, False),
        ({"target": "7", "triggers": ["file.moved"]}, {"type": "file.copied", "data": {"id": 7}}, False),
        ({"target": "u1"}, {"type": "user.updated", "data": {"id": "u1"}}, True),
        (
            {"target": "7"},
            {"type": "form.submit", "data": {"originalForm": {"id": 7}, "submittedForm": {"id": 8}}},
            True,
        ),
        (
            {"target": "8"},
            {"type": "form.submit", "data": {"originalForm": {"id": 7}, "submittedForm": {"id": 8}}},
            False,
        ),
        ({"enabled": False}, {"type": "room.created"}, False),
        ({"tenant": "2"}, {"type": "room.created"}, False),
    ],
)
async def test_a_webhook_hears_what_it_asked_for(asked, event, is_heard, tmp_path):
    """Triggers and target are both wishes: all of them must be met, and the target is its id as text."""
    office = open_office(tmp_path)
    await office.start()
    made = await office.webhooks.create(**{"tenant": "1", "name": "any", "url": "http://h/", "by": None} | asked)
    (answer,) = await office.intake.accept("1", sent(event), SOURCE)
    recorded = recorded_hearers(office.reader)[answer.position]
    heard, _ = listen(told_plainly(office.reader))
    await office.close()
    assert recorded == heard[answer.position] == ({made.webhook.number} if is_heard else set())


async def test_a_person_is_as_they_are_just_before_the_event(tmp_path):
    """In one request, what an event says of its owner counts for what comes after it, and not for itself."""
    office, owners = await a_portal(tmp_path)
    entry = {"type": "file.moved", "readers": ["role:guest", "group:press"]}
    requests = [
        {"id": "1", **entry},
        {"id": "2", "type": "user.updated", "data": {"id": "uwe", "groups": ["press"]}, "readers": ["group:press"]},
        {"id": "3", **entry},
        {"id": "4", "type": "user.deleted", "data": {"id": "uwe"}, "readers": ["group:press"]},
        {"id": "5", **entry},
    ]
    answers = await office.intake.accept("1", sent(*requests), SOURCE)
    recorded = recorded_hearers(office.reader)
    await office.close()
    heard = [{owners[number] for number in recorded[answer.position]} - {"portal"} for answer in answers]
    assert heard == [set(), set(), {"uwe"}, {"uwe"}, set()]


def test_the_oracle_knows_nothing_of_what_it_judges():
    """It imports from the standard library alone."""
    tree = ast.parse((ROOT / "tests/oracle.py").read_text(encoding="utf-8"))
    imported = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            imported |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            imported.add((node.module or ".").partition(".")[0])
    assert imported <= sys.stdlib_module_names - {"importlib"}
    assert "datetime" in imported
