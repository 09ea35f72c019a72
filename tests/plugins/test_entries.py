"""What receivers get of files, folders, rooms, agents and forms."""

from __future__ import annotations

import pytest

from core.trigger import Unreadable

ENTRIES = {
    # each with its fileEntryType
    "file.created": 2,
    "folder.moved": 1,
    "room.archived": 1,
    "agent.deleted": 1,
    "form.filled.out": 2,
    "form.stopped": 2,
}


@pytest.mark.parametrize(("type", "kind"), ENTRIES.items())
def test_what_is_always_there_is_filled_in(type, kind, read):
    """An entry of hardly anything gets what DocSpace always sends or computes, and nothing invented."""
    reading = read(type, {"id": 991, "parentId": 310})
    assert list(reading.payload.items()) == [
        ("id", 991),
        ("parentId", 310),
        ("securityByUsers", {}),
        ("folderIdDisplay", 310),
        ("fileEntryType", kind),
    ]


def test_what_the_portal_says_stands(read):
    """Computed members that the portal sends are passed on as they are."""
    told = {"id": 991, "parentId": 310, "securityByUsers": {"a": {}}, "folderIdDisplay": 12, "fileEntryType": 1}
    assert read("file.updated", told).payload == told


def test_null_is_as_good_as_absent(read):
    """A member that is null is filled in, or left out, as if the portal had not sent it."""
    told = {"id": 991, "parentId": 310, "title": None, "securityByUsers": None, "folderIdDisplay": None}
    payload = read("file.updated", told).payload
    assert payload == {"id": 991, "parentId": 310, "securityByUsers": {}, "folderIdDisplay": 310, "fileEntryType": 2}


def test_ids_keep_their_type(read):
    """Third-party storage has ids that are text, and its targets are text."""
    assert read("file.moved", {"id": "sbox-7-|a"}).target_ids == ("sbox-7-|a",)
    assert read("file.moved", {"id": 7}).target_ids == (7,)


@pytest.mark.parametrize("type", ENTRIES.keys())
def test_only_the_portal_knows_who_may_read_an_entry(type, read):
    """Without readers in the event there is no answer: admins alone hear of it."""
    assert read(type, {"id": 991}).readers is None


@pytest.mark.parametrize(
    ("data", "path", "reason"),
    [
        ({}, "data.id", "expected int or str"),
        ({"id": None}, "data.id", "expected int or str"),
        ({"id": 9.5}, "data.id", "expected int or str"),
        ({"id": True}, "data.id", "expected int or str"),
        ({"id": [1]}, "data.id", "expected int or str"),
        ({"id": ""}, "data.id", "expected int or str, not empty"),
        ({"id": 2**64}, "data.id", "expected an int of at most 64 bits"),
        ({"id": 1, "title": 5}, "data.title", "expected str"),
        ({"id": 1, "shared": 1}, "data.shared", "expected bool"),
        ({"id": 1, "access": True}, "data.access", "expected int"),
        ({"id": 1, "security": []}, "data.security", "expected object"),
        ({"id": 1, "tags": {}}, "data.tags", "expected array"),
    ],
)
def test_a_member_of_the_wrong_type_is_named(data, path, reason, read):
    """The portal is told where its event is wrong, and what was expected."""
    for type in ("file.updated", "room.updated"):
        assert read(type, data) == Unreadable(path, reason)


def test_a_submitted_form_is_two_entries(read):
    """The payload holds both forms, each complete; the target is the original one."""
    data = {"submittedForm": {"id": 1201, "parentId": 411}, "originalForm": {"id": 1200, "parentId": 410}}
    reading = read("form.submit", data)
    assert list(reading.payload) == ["originalForm", "submittedForm"]
    assert reading.payload["submittedForm"] == {
        "id": 1201,
        "parentId": 411,
        "securityByUsers": {},
        "folderIdDisplay": 411,
        "fileEntryType": 2,
    }
    assert reading.target_ids == (1200,)
    assert reading.target_type == "form"


@pytest.mark.parametrize(
    ("data", "path", "reason"),
    [
        ({"submittedForm": {"id": 1}}, "data.originalForm", "expected object"),
        ({"originalForm": 7, "submittedForm": {"id": 1}}, "data.originalForm", "expected object"),
        ({"originalForm": {}, "submittedForm": {"id": 1}}, "data.originalForm.id", "expected int or str"),
        ({"originalForm": {"id": 1}}, "data.submittedForm", "expected object"),
        (
            {"originalForm": {"id": 1}, "submittedForm": {"id": 1, "order": "a"}},
            "data.submittedForm.order",
            "expected int",
        ),
    ],
)
def test_a_submitted_form_needs_both(data, path, reason, read):
    """Nothing is delivered of a form whose original is unknown."""
    assert read("form.submit", data) == Unreadable(path, reason)
