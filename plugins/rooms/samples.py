"""What a portal sends about rooms and agents: one event for each trigger."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from plugins.sample import ANNA, READERS, ROOM, sample

AMONG_ROOMS = {"parentId": 2, "rootId": 2, "rootFolderType": 14, "rootCreateBy": ANNA}
IN_ARCHIVE = {"parentId": 5, "rootId": 5, "rootFolderType": 20, "rootCreateBy": ANNA}
AMONG_AGENTS = {"parentId": 9, "rootId": 9, "rootFolderType": 34, "rootCreateBy": ANNA}


def samples() -> Mapping[str, Sequence[Mapping[str, Any]]]:
    """By the name of the trigger."""
    told = {
        "room.created": (50, _folder(ROOM, "Project X", "10:50:00", AMONG_ROOMS, fileEntryType=1)),
        "room.updated": (51, _folder(ROOM, "Project X <beta>", "10:51:00", AMONG_ROOMS, shared=True)),
        "room.archived": (52, _folder(ROOM, "Project X <beta>", "10:52:00", IN_ARCHIVE, fileEntryType=1)),
        "room.deleted": (53, _folder(320, "Project W", "10:53:00", IN_ARCHIVE)),
        "room.restored": (54, _folder(ROOM, "Project X <beta>", "10:54:00", AMONG_ROOMS, fileEntryType=1)),
        "room.copied": (55, _folder(330, "Project X <beta> (1)", "10:55:00", AMONG_ROOMS, fileEntryType=1)),
        "agent.created": (70, _folder(340, "Bid writer", "11:10:00", AMONG_AGENTS, fileEntryType=1)),
        "agent.updated": (71, _folder(340, "Bid writer + 1", "11:11:00", AMONG_AGENTS, fileEntryType=1)),
        "agent.deleted": (72, _folder(340, "Bid writer + 1", "11:12:00", AMONG_AGENTS)),
    }
    return {name: [sample(name, minute, ANNA, data, READERS)] for name, (minute, data) in told.items()}


def _folder(id: int, title: str, at: str, place: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    made = {"createBy": ANNA, "createOn": "2026-11-01T08:00:00Z"}
    return {"id": id, **place, "title": title, **made, "modifiedBy": ANNA, "modifiedOn": f"2026-11-23T{at}Z", **more}
