"""What a portal sends about users and groups: one event for each trigger."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from plugins.sample import ANNA, JOSE, PETRA, SALES, sample

TEMP = "3e1d9a0b-6a0e-4f5c-9a57-1f0a2d7c8e21"
"""A group that comes and goes."""


def samples() -> Mapping[str, Sequence[Mapping[str, Any]]]:
    """By the name of the trigger."""
    told = {**_users(), **_groups()}
    return {name: [sample(name, minute, ANNA, data)] for name, (minute, data) in told.items()}


def _users() -> Mapping[str, tuple[int, Mapping[str, Any]]]:
    jose = {
        "id": JOSE,
        "firstName": "José",
        "lastName": "O'Neil",
        "userName": "jose",
        "status": 1,
        "activationStatus": 1,
        "email": "jose@example.com",
        "tenantId": 1,
        "isActive": True,
        "createDate": "2026-11-23T10:10:00Z",
        "createdBy": ANNA,
    }
    petra = {
        "id": PETRA,
        "firstName": "",
        "lastName": "",
        "userName": "petra",
        "status": 4,
        "activationStatus": 2,
        "email": "petra@example.org",
        "lastModified": "2026-11-23T10:11:00Z",
        "createDate": "2026-11-23T10:11:00Z",
        "createdBy": ANNA,
    }
    gone = {"status": 2, "removed": True, "terminatedDate": "2026-11-23T10:12:30Z"}
    return {
        "user.created": (10, {**jose, "lastModified": "2026-11-23T10:10:00Z", "isVisitor": False, "groups": [SALES]}),
        "user.invited": (11, {**petra, "isVisitor": True}),
        "user.updated": (
            12,
            {
                **jose,
                "title": "Head of sales & partners",
                "lastModified": "2026-11-23T10:12:00Z",
                "cultureName": "es-ES",
                "isRoomAdmin": True,
                "groups": [{"id": SALES, "name": "Sales"}],
            },
        ),
        "user.deleted": (13, {**petra, **gone, "lastModified": "2026-11-23T10:13:00Z"}),
    }


def _groups() -> Mapping[str, tuple[int, Mapping[str, Any]]]:
    return {
        "group.created": (20, {"id": SALES, "name": "Sales", "members": [ANNA, JOSE]}),
        "group.updated": (21, {"id": SALES, "name": "Sales & partners", "members": [{"id": ANNA}, {"id": JOSE}]}),
        "group.deleted": (22, {"id": TEMP, "name": "Fair 2026", "removed": True}),
    }
