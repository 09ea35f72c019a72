"""What happens to files, folders and forms.

Who may read an entry only the portal knows: without `readers` in the event, admins alone hear of it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from hookledger import PortalEvent, Reading, Trigger, Unreadable, hookimpl
from plugins.file_entry import FILE, FOLDER, SHAPE, file_entry
from plugins.files.samples import samples

FORMS = ("originalForm", "submittedForm")
"""What a submitted form's data and payload hold."""

TRIGGERS = (
    # name, bit, order
    ("file.created", 7, 30),
    ("file.uploaded", 8, 31),
    ("file.updated", 9, 32),
    ("file.trashed", 10, 33),
    ("file.deleted", 11, 34),
    ("file.restored", 12, 35),
    ("file.copied", 13, 36),
    ("file.moved", 14, 37),
    ("file.downloaded", 34, 38),
    ("folder.created", 15, 40),
    ("folder.updated", 16, 41),
    ("folder.trashed", 17, 42),
    ("folder.deleted", 18, 43),
    ("folder.restored", 19, 44),
    ("folder.copied", 20, 45),
    ("folder.moved", 21, 46),
    ("folder.downloaded", 35, 47),
    ("form.submit", 28, 60),
    ("form.filled.out", 29, 61),
    ("form.stopped", 30, 62),
)


@hookimpl
def register_triggers() -> Sequence[Trigger]:
    known = samples()
    return [_trigger(name, bit, order, known[name]) for name, bit, order in TRIGGERS]


@hookimpl
def read_event(events: Sequence[PortalEvent]) -> Sequence[Reading | Unreadable]:
    return [_submitted(event) if event.type == "form.submit" else _entry(event) for event in events]


def _trigger(name: str, bit: int, order: int, samples: Sequence[Mapping[str, Any]]) -> Trigger:
    data, payload = SHAPE.data_schema(), SHAPE.payload_schema()
    if name == "form.submit":
        data, payload = _of_both(data), _of_both(payload)
    return Trigger(name=name, bit=bit, order=order, samples=samples, data_schema=data, payload_schema=payload)


def _of_both(form: Mapping[str, Any]) -> Mapping[str, Any]:
    return {"type": "object", "properties": dict.fromkeys(FORMS, form), "required": [*FORMS]}


def _entry(event: PortalEvent) -> Reading | Unreadable:
    noun = event.type.partition(".")[0]
    payload = file_entry(event.data, FOLDER if noun == "folder" else FILE)
    if isinstance(payload, Unreadable):
        return payload
    return Reading(payload=payload, target_type=noun, target_ids=(payload["id"],))


def _submitted(event: PortalEvent) -> Reading | Unreadable:
    """A form was filled in: the target is the form that people look for, not the copy with the answers."""
    payload = {}
    for member in FORMS:
        form = event.data.get(member)
        if not isinstance(form, dict):
            return Unreadable(f"data.{member}", "expected object")
        entry = file_entry(form, FILE, f"data.{member}")
        if isinstance(entry, Unreadable):
            return entry
        payload[member] = entry
    return Reading(payload=payload, target_type="form", target_ids=(payload["originalForm"]["id"],))
