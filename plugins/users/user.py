"""One user event: what receivers get, who may know, and what it says of the person."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from hookledger import Directory, PortalEvent, Reading, RemovePerson, Role, SetPerson, Status, Unreadable
from plugins.shape import Shape
from plugins.users.ids import ids_in

ROLES: Mapping[str, Role] = {"admin": "admin", "room-admin": "room-admin", "user": "user", "guest": "guest"}
STATUSES: Mapping[int, Status] = {1: "active", 2: "terminated", 4: "pending"}
ACTIVATED = 1
"""A flag of `activationStatus`."""

FLAGS: Mapping[str, Role] = {"isOwner": "admin", "isAdmin": "admin", "isRoomAdmin": "room-admin", "isVisitor": "guest"}
"""The first that is true says the role."""

TENANT_DIGITS_MAX = 18
"""`tenantId` is a number of 64 bits; a longer one is a name."""

NEWCOMERS: Mapping[str, Status] = {"user.created": "active", "user.invited": "pending"}
"""Events that say everything of a person, and the status they mean when they name none."""

SHAPE = Shape(
    {
        "id": "str",
        "firstName": "str",
        "lastName": "str",
        "userName": "str",
        "birthDate": "str",
        "sex": "bool",
        "status": "int",
        "activationStatus": "int",
        "terminatedDate": "str",
        "title": "str",
        "workFromDate": "str",
        "email": "str",
        "contacts": "str",
        "contactsList": "array",
        "location": "str",
        "notes": "str",
        "removed": "bool",
        "lastModified": "str",
        "tenantId": "int",
        "isActive": "bool",
        "cultureName": "str",
        "mobilePhone": "str",
        "mobilePhoneActivationStatus": "int",
        "sid": "str",
        "ldapQouta": "int",
        "ssoNameId": "str",
        "ssoSessionId": "str",
        "createDate": "str",
        "createdBy": "str",
        "spam": "bool",
        "checkActivation": "bool",
    },
    {"role": "str", "groups": "array"} | dict.fromkeys(FLAGS, "bool"),
)


def read_user(event: PortalEvent, directory: Directory) -> Reading | Unreadable:
    data = event.data
    mistake = _mistake(data)
    if mistake is not None:
        return mistake
    groups = None if data.get("groups") is None else ids_in(data["groups"], "data.groups")
    if isinstance(groups, Unreadable):
        return groups
    id: str = data["id"]
    known = directory.person(id)
    role, status = _role(data), STATUSES.get(data.get("status", 0))
    if event.type in NEWCOMERS:
        role = role or "user"
        status = status or NEWCOMERS[event.type]
    if event.type == "user.deleted":
        changes: tuple[SetPerson | RemovePerson, ...] = (RemovePerson(id=id),)
        role = known.role if known else role
    elif known and role is None and status is None and groups is None:
        changes = ()
    else:
        changes = (SetPerson(id=id, role=role, status=status, groups=groups),)
    return Reading(
        payload=_payload(data, event.tenant, status or (known.status if known else "active")),
        target_type="user",
        target_ids=(id,),
        readers=_readers(id, role or (known.role if known else "user")),
        changes=changes,
    )


def _mistake(data: Mapping[str, Any]) -> Unreadable | None:
    mistake = SHAPE.mistake(data, "data")
    if mistake is not None:
        return mistake
    if data.get("status") is not None and data["status"] not in STATUSES:
        return Unreadable("data.status", "expected 1, 2 or 4")
    if data.get("role") is not None and data["role"] not in ROLES:
        return Unreadable("data.role", "expected admin, room-admin, user or guest")
    return None


def _role(data: Mapping[str, Any]) -> Role | None:
    """The role as the event names it, or else flags it: all flags false is a plain user, no flag says nothing."""
    if data.get("role") is not None:
        return ROLES[data["role"]]
    if all(data.get(flag) is None for flag in FLAGS):
        return None
    return next((role for flag, role in FLAGS.items() if data.get(flag)), "user")


def _payload(data: Mapping[str, Any], tenant: str, status: Status) -> dict[str, Any]:
    """To DocSpace whoever has activated their account is active; where the portal does not say, the status tells."""
    filled = {**data}
    is_active = status == "active"
    if data.get("activationStatus") is not None:
        is_active = bool(data["activationStatus"] & ACTIVATED)
    elif data.get("checkActivation") is not None:
        is_active = not data["checkActivation"]
    if filled.get("isActive") is None:
        filled["isActive"] = is_active
    if filled.get("checkActivation") is None:
        filled["checkActivation"] = not filled["isActive"]
    if filled.get("tenantId") is None and tenant.isascii() and tenant.isdigit() and len(tenant) <= TENANT_DIGITS_MAX:
        filled["tenantId"] = int(tenant)
    return SHAPE.payload(filled)


def _readers(id: str, role: Role) -> Sequence[str]:
    """Room admins see guests only where they share a room with them, and of that we know nothing."""
    return (f"user:{id}", "role:admin") if role == "guest" else (f"user:{id}", "role:admin", "role:room-admin")
