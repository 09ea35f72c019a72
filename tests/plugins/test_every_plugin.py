"""What must hold for every trigger that a plugin registers, and what DocSpace says of ours."""

from __future__ import annotations

import copy
import re

import msgspec
import pytest

from core.trigger import ROLES, Reading

ALL, ADMINS = {"admin", "room-admin", "user"}, {"admin", "room-admin"}

DOCSPACE = {
    # name: (bit, order, who may subscribe)
    "user.created": (0, 10, ADMINS),
    "user.invited": (1, 11, ADMINS),
    "user.updated": (2, 12, ALL),
    "user.deleted": (3, 13, ALL),
    "group.created": (4, 20, ADMINS),
    "group.updated": (5, 21, ADMINS),
    "group.deleted": (6, 22, ADMINS),
    "file.created": (7, 30, ALL),
    "file.uploaded": (8, 31, ALL),
    "file.updated": (9, 32, ALL),
    "file.trashed": (10, 33, ALL),
    "file.deleted": (11, 34, ALL),
    "file.restored": (12, 35, ALL),
    "file.copied": (13, 36, ALL),
    "file.moved": (14, 37, ALL),
    "file.downloaded": (34, 38, ALL),
    "folder.created": (15, 40, ALL),
    "folder.updated": (16, 41, ALL),
    "folder.trashed": (17, 42, ALL),
    "folder.deleted": (18, 43, ALL),
    "folder.restored": (19, 44, ALL),
    "folder.copied": (20, 45, ALL),
    "folder.moved": (21, 46, ALL),
    "folder.downloaded": (35, 47, ALL),
    "room.created": (22, 50, ADMINS),
    "room.updated": (23, 51, ALL),
    "room.archived": (24, 52, ALL),
    "room.deleted": (25, 53, ALL),
    "room.restored": (26, 54, ALL),
    "room.copied": (27, 55, ADMINS),
    "form.submit": (28, 60, ALL),
    "form.filled.out": (29, 61, ALL),
    "form.stopped": (30, 62, ALL),
    "agent.created": (31, 70, ADMINS),
    "agent.updated": (32, 71, ALL),
    "agent.deleted": (33, 72, ALL),
}

MEMBERS = {
    # in the order of the wire
    "entry": """
        id parentId originId originRoomId mutableId shareRecord security securityByUsers folderIdDisplay rootId title
        createBy sharedBy modifiedBy error access shared sharedForUser sharedExternal parentShared providerId
        providerKey createOn modifiedOn rootFolderType parentRoomType parentRoomCreatedBy rootCreateBy isNew
        fileEntryType tags originTitle originRoomTitle order""",
    "user": """
        id firstName lastName userName birthDate sex status activationStatus terminatedDate title workFromDate email
        contacts contactsList location notes removed lastModified tenantId isActive cultureName mobilePhone
        mobilePhoneActivationStatus sid ldapQouta ssoNameId ssoSessionId createDate createdBy spam checkActivation""",
    "group": "id name categoryID parent sid removed authenticationType key",
}

READER = re.compile(r"everyone|user:.+|group:.+|role:(admin|room-admin|user|guest)")


def members_of(trigger):
    noun = trigger.split(".")[0]
    return MEMBERS.get(noun, MEMBERS["entry"]).split()


def readings(registered, plugins, nobody, a_portal_event):
    """Each sample's event, and the reading of it."""
    for sample in registered.trigger.samples:
        event = a_portal_event(**sample)
        yield event, plugins.read([event], nobody)[0]


def payloads_in(type, payload):
    return payload.values() if type == "form.submit" else [payload]


def test_catalogue_is_docspaces(plugins):
    """The 36 triggers of DocSpace are there, with its numbers, its roles, and in its order."""
    found = {
        name: (entry.trigger.bit, entry.trigger.order, set(entry.trigger.roles))
        for name, entry in plugins.triggers.items()
    }
    assert found == DOCSPACE
    assert list(found) == list(DOCSPACE)


def test_name_and_bit_are_well_formed(registered):
    """A name is noun.verb, a bit fits the signed 64 bits of a trigger id, and roles are known ones."""
    trigger = registered.trigger
    assert re.fullmatch(r"[a-z]+(\.[a-z_]+)+", trigger.name)
    assert trigger.bit is None or 0 <= trigger.bit <= 62
    assert set(trigger.roles) <= set(ROLES) - {"guest"}


def test_directory_is_changed_by_users_and_groups_only(registered):
    """Only events about users and groups say who is who."""
    assert registered.trigger.changes_directory == registered.trigger.name.startswith(("user.", "group."))


def test_samples_are_events_of_their_trigger(registered):
    """Each trigger has a sample: JSON, of its type, with all that a plain event needs."""
    assert registered.trigger.samples
    for sample in registered.trigger.samples:
        assert msgspec.json.decode(msgspec.json.encode(sample)) == sample
        assert sample["type"] == registered.trigger.name
        assert {"id", "type", "time", "data"} <= set(sample) <= {"id", "type", "time", "actor", "readers", "data"}
        assert all(READER.fullmatch(reader) for reader in sample.get("readers", ()))


def test_samples_are_read(registered, plugins, nobody, a_portal_event):
    """A sample becomes a reading about an entity of the trigger's noun, with known readers and JSON for a payload."""
    for event, reading in readings(registered, plugins, nobody, a_portal_event):
        assert type(reading) is Reading, reading
        assert reading.target_type == registered.trigger.name.split(".")[0]
        assert len(reading.target_ids) == 1
        assert all(READER.fullmatch(reader) for reader in reading.readers or ())
        assert bool(reading.changes) == registered.trigger.changes_directory
        assert msgspec.json.decode(msgspec.json.encode(reading.payload)) == reading.payload
        assert event.data.get("id", reading.target_ids[0]) == reading.target_ids[0]


def test_payloads_hold_docspaces_members_in_its_order(registered, plugins, nobody, a_portal_event):
    """Receivers get the members DocSpace has, in DocSpace's order, and none else."""
    members = members_of(registered.trigger.name)
    for _, reading in readings(registered, plugins, nobody, a_portal_event):
        for payload in payloads_in(registered.trigger.name, reading.payload):
            assert list(payload) == [name for name in members if name in payload]


@pytest.mark.parametrize("name", ["file.moved", "agent.updated", "user.updated", "group.updated"])
def test_every_member_is_passed_on_in_order(name, plugins, nobody, a_portal_event):
    """Members sent in any order, among members nobody knows, arrive complete and in DocSpace's order."""
    samples = {"status": 1, "securityByUsers": {}, "security": {"Read": True}, "shareRecord": {"id": 4}, "tags": [{}]}
    flags = "mutableId shared sharedForUser sharedExternal parentShared isNew sex removed isActive spam checkActivation"
    numbers = "access providerId rootFolderType parentRoomType fileEntryType order activationStatus tenantId ldapQouta"
    samples |= dict.fromkeys(flags.split(), True) | dict.fromkeys(numbers.split(), 3) | {"contactsList": ["a"]}
    samples |= {"mobilePhoneActivationStatus": 1}
    data = {member: samples.get(member, "text") for member in reversed(members_of(name))}
    (reading,) = plugins.read([a_portal_event(name, {"contentLength": 5, **data, "members": []})], nobody)
    assert list(reading.payload.items()) == [(member, data[member]) for member in members_of(name)]


def test_nothing_is_changed(registered, plugins, nobody, a_portal_event):
    """Reading an event changes neither its data nor the directory, and reads the same a second time."""
    for sample in registered.trigger.samples:
        before = copy.deepcopy(sample)
        event = a_portal_event(**sample)
        assert plugins.read([event], nobody) == plugins.read([event], nobody)
        assert sample == before
        assert nobody.persons == {}


def test_answers_keep_the_order_of_events(plugins, nobody, a_portal_event):
    """Events of many plugins in one batch are answered in the order sent."""
    samples = [sample for entry in plugins.triggers.values() for sample in entry.trigger.samples]
    shuffled = samples[::2] + samples[1::2]
    outcomes = plugins.read([a_portal_event(**sample) for sample in shuffled], nobody)
    assert [outcome.target_type for outcome in outcomes] == [sample["type"].split(".")[0] for sample in shuffled]
    assert outcomes == [plugins.read([a_portal_event(**sample)], nobody)[0] for sample in shuffled]
