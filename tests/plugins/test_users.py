"""What user and group events teach the directory, who may know of them, and what receivers get."""

from __future__ import annotations

import pytest

from core.trigger import RemoveGroup, RemovePerson, SetGroup, SetPerson, Unreadable

NEW = ["user.created", "user.invited"]


@pytest.mark.parametrize(
    ("flags", "role"),
    [
        ({"isOwner": True}, "admin"),
        ({"isAdmin": True, "isVisitor": False}, "admin"),
        ({"isRoomAdmin": True}, "room-admin"),
        ({"isVisitor": True}, "guest"),
        ({"isAdmin": True, "isRoomAdmin": True}, "admin"),
        ({"isVisitor": False}, "user"),
        ({"isOwner": False, "isAdmin": False, "isRoomAdmin": False, "isVisitor": False}, "user"),
        ({"role": "admin"}, "admin"),
        ({"role": "room-admin"}, "room-admin"),
        ({"role": "user", "isAdmin": True}, "user"),
        ({"role": "guest"}, "guest"),
    ],
)
@pytest.mark.parametrize("type", [*NEW, "user.updated"])
def test_flags_say_the_role(type, flags, role, read):
    """A role is named, or flagged; all flags false is a user."""
    (change,) = read(type, {"id": "u1", **flags}).changes
    assert change.role == role


@pytest.mark.parametrize("silent", [{}, {"isAdmin": None, "role": None, "groups": None, "status": None}])
def test_silence_makes_a_newcomer_a_user_and_leaves_others_as_they_are(silent, read, who_is_who, known):
    """Absent in user.created and user.invited means role user; absent in user.updated means unchanged."""
    directory = who_is_who(known("u1", role="admin"))
    assert read("user.created", {"id": "u1", **silent}, directory).changes == (
        SetPerson(id="u1", role="user", status="active"),
    )
    assert read("user.invited", {"id": "u1", **silent}, directory).changes == (
        SetPerson(id="u1", role="user", status="pending"),
    )
    assert read("user.updated", {"id": "u1", "title": "x", **silent}, directory).changes == ()
    assert read("user.updated", {"id": "u2", "title": "x", **silent}, directory).changes == (SetPerson(id="u2"),)


@pytest.mark.parametrize(("number", "status"), [(1, "active"), (2, "terminated"), (4, "pending")])
@pytest.mark.parametrize("type", [*NEW, "user.updated"])
def test_status_is_docspaces_number(type, number, status, read):
    """1, 2 and 4 are active, terminated and pending, whatever the event."""
    (change,) = read(type, {"id": "u1", "status": number}).changes
    assert change.status == status


def test_groups_are_ids_or_objects(read):
    """The whole list of a person's groups is learnt, each once; an empty list empties it."""
    (change,) = read("user.updated", {"id": "u1", "groups": ["g2", {"id": "g1", "name": "Sales"}, "g2"]}).changes
    assert change == SetPerson(id="u1", groups=("g2", "g1"))
    (change,) = read("user.updated", {"id": "u1", "groups": []}).changes
    assert change == SetPerson(id="u1", groups=())


def test_a_deleted_user_is_gone(read):
    """user.deleted removes the person, whatever else it says."""
    assert read("user.deleted", {"id": "u1", "role": "admin"}).changes == (RemovePerson(id="u1"),)


def test_what_feeds_the_directory_is_not_sent(read):
    """Role, flags, groups and members are no part of what receivers get."""
    told = {"id": "u1", "isOwner": True, "isAdmin": True, "isRoomAdmin": True, "isVisitor": True, "role": "admin"}
    payload = read("user.updated", {**told, "groups": ["g1"]}).payload
    assert payload.keys() == {"id", "tenantId", "isActive", "checkActivation"}
    assert read("group.updated", {"id": "g1", "members": ["u1"]}).payload == {
        "id": "g1",
        "authenticationType": "ASC",
        "key": "g1",
    }


@pytest.mark.parametrize(
    ("told", "active"),
    [
        ({"activationStatus": 1, "status": 2}, True),
        ({"activationStatus": 5}, True),
        ({"activationStatus": 2, "status": 1}, False),
        ({"activationStatus": 0}, False),
        ({"checkActivation": True, "status": 1}, False),
        ({"isActive": True, "status": 2}, True),
        ({"status": 1}, True),
        ({"status": 4}, False),
        ({}, True),
    ],
)
def test_whoever_has_activated_their_account_is_active(told, active, read):
    """The computed members follow activationStatus, as in DocSpace; the status tells where that is not sent."""
    payload = read("user.created", {"id": "u1", **told}).payload
    assert payload["isActive"] is active
    assert payload["checkActivation"] is not active


def test_a_known_status_fills_what_an_update_leaves_out(read, who_is_who, known):
    """Somebody who is still invited does not become active by an update that does not say so."""
    payload = read("user.updated", {"id": "u1"}, who_is_who(known("u1", status="pending"))).payload
    assert payload["isActive"] is False


@pytest.mark.parametrize(("tenant", "number"), [("1", 1), ("042", 42), ("acme", None), ("²", None), ("9" * 19, None)])
def test_a_numeric_tenant_is_the_tenant_id(tenant, number, read):
    """tenantId is filled from a tenant that is a number; the portal's own word stands."""
    assert read("user.created", {"id": "u1"}, tenant=tenant).payload.get("tenantId") == number
    assert read("user.created", {"id": "u1", "tenantId": 7}, tenant=tenant).payload["tenantId"] == 7


@pytest.mark.parametrize(
    ("type", "flags", "before", "room_admins"),
    [
        ("user.created", {}, None, True),
        ("user.created", {"isVisitor": True}, None, False),
        ("user.created", {}, "guest", True),
        ("user.invited", {"role": "guest"}, None, False),
        ("user.updated", {}, None, True),
        ("user.updated", {}, "guest", False),
        ("user.updated", {}, "admin", True),
        ("user.updated", {"isVisitor": True}, "user", False),
        ("user.updated", {"isVisitor": False}, "guest", True),
        ("user.deleted", {}, "guest", False),
        ("user.deleted", {"isVisitor": False}, "guest", False),
        ("user.deleted", {}, "user", True),
        ("user.deleted", {"isVisitor": True}, None, False),
        ("user.deleted", {}, None, True),
    ],
)
def test_who_may_know_of_a_user(type, flags, before, room_admins, read, who_is_who, known):
    """The user themself and admins; room admins unless it is a guest, whom they see only by a relation."""
    directory = who_is_who(known("u1", role=before)) if before else who_is_who()
    expected = {"user:u1", "role:admin"} | ({"role:room-admin"} if room_admins else set())
    assert set(read(type, {"id": "u1", **flags}, directory).readers) == expected


@pytest.mark.parametrize("type", ["group.created", "group.updated", "group.deleted"])
def test_who_may_know_of_a_group(type, read):
    """Whoever may read groups in DocSpace: admins and room admins."""
    assert set(read(type, {"id": "g1", "members": ["u1"]}).readers) == {"role:admin", "role:room-admin"}


def test_members_join_and_leave(read, who_is_who, known):
    """Who is listed and was no member joins, who was one and is not listed leaves, and the others stay."""
    directory = who_is_who(known("u1", groups=("g1", "g2")), known("u3", groups=("g1",)), known("u2", groups=("g1",)))
    told = {"id": "g1", "members": ["u9", {"id": "u3"}, "u9", "u8"]}
    for type in ("group.created", "group.updated"):
        assert read(type, told, directory).changes == (
            SetGroup(id="g1"),
            SetPerson(id="u9", joins=("g1",)),
            SetPerson(id="u8", joins=("g1",)),
            SetPerson(id="u1", leaves=("g1",)),
            SetPerson(id="u2", leaves=("g1",)),
        )


def test_members_not_sent_are_members_unchanged(read, who_is_who, known):
    """Without a list nobody joins or leaves; with an empty one everybody leaves."""
    directory = who_is_who(known("u1", groups=("g1",)))
    assert read("group.updated", {"id": "g1"}, directory).changes == (SetGroup(id="g1"),)
    assert read("group.updated", {"id": "g1", "members": []}, directory).changes == (
        SetGroup(id="g1"),
        SetPerson(id="u1", leaves=("g1",)),
    )


def test_a_deleted_group_is_gone(read, who_is_who, known):
    """Nobody needs to leave a group that is gone."""
    directory = who_is_who(known("u1", groups=("g1",)))
    assert read("group.deleted", {"id": "g1", "members": []}, directory).changes == (RemoveGroup(id="g1"),)


@pytest.mark.parametrize(
    ("type", "data", "path", "reason"),
    [
        ("user.created", {}, "data.id", "expected str"),
        ("user.created", {"id": 7}, "data.id", "expected str"),
        ("user.created", {"id": ""}, "data.id", "expected str, not empty"),
        ("user.created", {"id": "u1", "status": 3}, "data.status", "expected 1, 2 or 4"),
        ("user.created", {"id": "u1", "status": True}, "data.status", "expected int"),
        ("user.updated", {"id": "u1", "role": "boss"}, "data.role", "expected admin, room-admin, user or guest"),
        ("user.updated", {"id": "u1", "role": ["admin"]}, "data.role", "expected str"),
        ("user.updated", {"id": "u1", "isAdmin": "yes"}, "data.isAdmin", "expected bool"),
        ("user.updated", {"id": "u1", "groups": "g1"}, "data.groups", "expected array"),
        ("user.updated", {"id": "u1", "groups": ["g1", 7]}, "data.groups[1]", "expected str or object"),
        ("user.updated", {"id": "u1", "groups": ["g1", {"name": "g"}]}, "data.groups[1].id", "expected str"),
        ("group.created", {"name": "Sales"}, "data.id", "expected str"),
        ("group.created", {"id": "g1", "members": {"id": "u1"}}, "data.members", "expected array"),
        ("group.created", {"id": "g1", "members": [""]}, "data.members[0]", "expected str or object, not empty"),
        ("group.created", {"id": "g1", "members": [{"id": 1}]}, "data.members[0].id", "expected str"),
    ],
)
def test_what_cannot_be_read_is_named(type, data, path, reason, read):
    """The portal is told where its event is wrong, and nothing is learnt from it."""
    assert read(type, data) == Unreadable(path, reason)
