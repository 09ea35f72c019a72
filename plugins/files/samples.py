"""What a portal sends about files, folders and forms: one event for each trigger."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from plugins.sample import ANNA, JOSE, READERS, REPORT, ROOM, sample

IN_ROOM = {
    "parentId": ROOM,
    "rootId": 2,
    "createBy": ANNA,
    "createOn": "2026-11-20T08:00:00Z",
    "rootFolderType": 14,
    "parentRoomType": 19,
    "parentRoomCreatedBy": ANNA,
    "rootCreateBy": ANNA,
}
IN_TRASH = {**IN_ROOM, "parentId": 3, "rootId": 3, "rootFolderType": 3, "originId": ROOM, "originRoomId": ROOM}
FORMS_ROOM = {**IN_ROOM, "parentId": 410, "parentRoomType": 15}


def samples() -> Mapping[str, Sequence[Mapping[str, Any]]]:
    """By the name of the trigger."""
    known = {**_files(), **_folders(), **_forms()}
    return {name: [event] for name, event in known.items()}


def _entry(id: int | str, title: str, at: str, place: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    return {"id": id, **place, "title": title, "modifiedBy": JOSE, "modifiedOn": f"2026-11-23T{at}Z", **more}


def _report(at: str, place: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    return _entry(REPORT, "report.docx", at, place, **more)


def _files() -> Mapping[str, Mapping[str, Any]]:
    told = {
        "file.created": (30, _report("10:30:00", IN_ROOM, isNew=True, fileEntryType=2)),
        # with what only the portal's own code computes, and members that no receiver gets
        "file.uploaded": (
            31,
            _entry(
                992,
                "Übersicht & “Ziele” 2027.xlsx",
                "10:31:00.1234567",
                {**IN_ROOM, "securityByUsers": {}, "folderIdDisplay": ROOM},
                parentShared=True,
                fileEntryType=2,
                contentLength=48_213,
                fileExst=".xlsx",
            ),
        ),
        "file.updated": (32, _report("10:32:00", IN_ROOM, shared=True, fileEntryType=2)),
        "file.trashed": (33, _report("10:33:00", IN_TRASH, originTitle="Project X")),
        # in storage of somebody else, where ids are strings
        "file.deleted": (
            34,
            _entry(
                "sbox-7-|notes.txt",
                "notes.txt",
                "10:34:00",
                {"parentId": "sbox-7", "rootId": "sbox-7", "createBy": JOSE, "createOn": "2026-10-02T12:00:00Z"},
                providerId=7,
                providerKey="DropboxV2",
                rootFolderType=14,
            ),
        ),
        "file.restored": (35, _report("10:35:00", IN_ROOM)),
        "file.copied": (36, _entry(993, "report (1).docx", "10:36:00", IN_ROOM, fileEntryType=2)),
        "file.moved": (37, _report("10:37:00", {**IN_ROOM, "parentId": 311}, order=1)),
        "file.downloaded": (38, _report("10:37:00", {**IN_ROOM, "parentId": 311}, order=1)),
    }
    return {name: sample(name, minute, JOSE, data, READERS) for name, (minute, data) in told.items()}


def _folders() -> Mapping[str, Mapping[str, Any]]:
    told = {
        "folder.created": (40, _entry(311, "Drafts", "10:40:00", IN_ROOM, fileEntryType=1)),
        "folder.updated": (41, _entry(311, "Drafts, old", "10:41:00", IN_ROOM, fileEntryType=1)),
        "folder.trashed": (42, _entry(311, "Drafts, old", "10:42:00", IN_TRASH, originTitle="Project X")),
        "folder.deleted": (43, _entry(312, "Scans", "10:43:00", IN_TRASH, originTitle="Project X")),
        "folder.restored": (44, _entry(311, "Drafts, old", "10:44:00", IN_ROOM)),
        "folder.copied": (45, _entry(313, "Drafts, old (1)", "10:45:00", IN_ROOM, parentShared=True)),
        "folder.moved": (46, _entry(313, "Drafts, old (1)", "10:46:00", {**IN_ROOM, "parentId": 311})),
        "folder.downloaded": (47, _entry(311, "Drafts, old", "10:44:00", IN_ROOM, tags=[])),
    }
    return {name: sample(name, minute, ANNA, data, READERS) for name, (minute, data) in told.items()}


def _forms() -> Mapping[str, Mapping[str, Any]]:
    form = _entry(1200, "Leave request.pdf", "09:00:00", FORMS_ROOM, fileEntryType=2)
    filled = _entry(1201, "1 - José O'Neil - Leave request.pdf", "11:00:00", FORMS_ROOM, fileEntryType=2)
    return {
        "form.submit": sample("form.submit", 60, JOSE, {"originalForm": form, "submittedForm": filled}, READERS),
        "form.filled.out": sample("form.filled.out", 61, JOSE, filled, READERS),
        "form.stopped": sample("form.stopped", 62, ANNA, form, READERS),
    }
