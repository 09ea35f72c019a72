"""The file entry: what files, folders, rooms, agents and forms have in common, and all that receivers get."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hookledger import Unreadable
from plugins.shape import Shape

FOLDER, FILE = 1, 2
"""`fileEntryType`: rooms and agents are folders."""

SHAPE = Shape(
    {
        "id": "int or str",
        "parentId": "int or str",
        "originId": "int or str",
        "originRoomId": "int or str",
        "mutableId": "bool",
        "shareRecord": "object",
        "security": "object",
        "securityByUsers": "object",
        "folderIdDisplay": "int or str",
        "rootId": "int or str",
        "title": "str",
        "createBy": "str",
        "sharedBy": "str",
        "modifiedBy": "str",
        "error": "str",
        "access": "int",
        "shared": "bool",
        "sharedForUser": "bool",
        "sharedExternal": "bool",
        "parentShared": "bool",
        "providerId": "int",
        "providerKey": "str",
        "createOn": "str",
        "modifiedOn": "str",
        "rootFolderType": "int",
        "parentRoomType": "int",
        "parentRoomCreatedBy": "str",
        "rootCreateBy": "str",
        "isNew": "bool",
        "fileEntryType": "int",
        "tags": "array",
        "originTitle": "str",
        "originRoomTitle": "str",
        "order": "int",
    }
)


def file_entry(data: Mapping[str, Any], entry_type: int, path: str = "data") -> dict[str, Any] | Unreadable:
    """The entry as receivers get it, with what DocSpace always sends filled in where the portal left it out."""
    mistake = SHAPE.mistake(data, path)
    if mistake is not None:
        return mistake
    filled = {**data}
    if filled.get("securityByUsers") is None:
        filled["securityByUsers"] = {}
    if not filled.get("folderIdDisplay"):
        filled["folderIdDisplay"] = filled.get("parentId")
    if not filled.get("fileEntryType"):
        filled["fileEntryType"] = entry_type
    return SHAPE.payload(filled)
