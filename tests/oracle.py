"""Who should hear of what: plain loops over plain dicts, written from what is promised and not from what is built.

It reads a history, which is a list of dicts in the order of the ledger, each with its `tenant`, its `position` and one
of these:

- `what: webhook`: `number`, and under `now` those of owner, triggers, target, enabled, deleted that are new;
- `what: person`: a statement of `id` at `time`, with those of known, role, status, groups, joins, leaves that it makes;
- `what: group`: `id` was there, or `gone`, at `time`;
- `what: event`: the portal's own words under `sent`, and when they were `accepted`.

Nothing in it is fast, and it imports nothing of what it judges.
"""

from __future__ import annotations

from datetime import datetime

# fmt: off
TYPES = (
    "user.created", "user.invited", "user.updated", "user.deleted", "group.created", "group.updated", "group.deleted",
    "file.created", "file.uploaded", "file.updated", "file.trashed", "file.deleted", "file.restored", "file.copied",
    "file.moved", "file.downloaded", "folder.created", "folder.updated", "folder.trashed", "folder.deleted",
    "folder.restored", "folder.copied", "folder.moved", "folder.downloaded", "room.created", "room.updated",
    "room.archived", "room.deleted", "room.restored", "room.copied", "form.submit", "form.filled.out", "form.stopped",
    "agent.created", "agent.updated", "agent.deleted",
)
# fmt: on

STATUS = {1: "active", 2: "terminated", 4: "pending"}
NEWCOMER = {"role": "user", "status": "active", "groups": []}


def listen(history, refusals=()):
    """For each event's position the numbers of the webhooks that hear of it; and what each portal is like in the end.

    *refusals* are the plugins' own: each is asked with the owner and the event, and True means that they may not know.
    """
    heard, portals = {}, {}
    for entry in history:
        portal = portals.setdefault(entry["tenant"], {"webhooks": {}, "people": {}, "groups": {}})
        if entry["what"] == "event":
            heard[entry["position"]] = {
                number
                for number, webhook in portal["webhooks"].items()
                if wants(webhook, entry["sent"]) and may_know(portal, webhook, entry["sent"], refusals)
            }
        happen(portal, entry)
    return heard, portals


def happen(portal, entry):
    """What an entry of the history makes of the portal."""
    if entry["what"] == "webhook":
        portal["webhooks"].setdefault(entry["number"], {"deleted": False}).update(entry["now"])
    elif entry["what"] == "event":
        for statement in lessons(portal, entry["sent"], entry["accepted"]):
            learn(portal, statement)
    else:
        learn(portal, entry)


def why_not_again(portal, number, sent):
    """Why an old event is not sent again to a webhook, as the portal is by now: deleted, disabled or owner; None: it
    is. What the webhook asks for does not matter; the readers in *sent* are those that the event had."""
    webhook = portal["webhooks"][number]
    if webhook["deleted"]:
        return "deleted"
    if not webhook["enabled"]:
        return "disabled"
    return None if may_know(portal, webhook, sent, ()) else "owner"


def with_readers(portal, sent):
    """An event with those who may read it, as the portal is just now."""
    return {**sent, "readers": readers_by_rule(portal, sent)} if sent.get("readers") is None else sent


def wants(webhook, sent):
    """Whether it listens, asked for such events, and for this entity if it asked for one."""
    if webhook["deleted"] or not webhook["enabled"] or sent["type"] not in TYPES:
        return False
    if webhook["triggers"] and sent["type"] not in webhook["triggers"]:
        return False
    entity = sent["data"]["originalForm"] if sent["type"] == "form.submit" else sent["data"]
    return webhook["target"] is None or webhook["target"] == str(entity["id"])


def may_know(portal, webhook, sent, refusals):
    """The first that applies decides."""
    if webhook["owner"] is None:
        return True
    if webhook["owner"] == sent.get("actor"):
        return True
    owner = person(portal, webhook["owner"])
    if owner is None or owner["status"] == "terminated" or owner["role"] == "guest":
        return False
    for refuses in refusals:
        if refuses(owner, sent):
            return False
    readers = sent.get("readers")
    if readers is None:
        readers = readers_by_rule(portal, sent)
    if readers is None:
        return owner["role"] == "admin"
    if "everyone" in readers or "role:" + owner["role"] in readers or "user:" + owner["id"] in readers:
        return True
    return any("group:" + group in readers for group in owner["groups"])


def readers_by_rule(portal, sent):
    """Who may read a user: themself, admins, and room admins where it is no guest; a group: admins and room admins."""
    noun = sent["type"].split(".")[0]
    if noun == "group":
        return ["role:admin", "role:room-admin"]
    if noun != "user":
        return None
    before = person(portal, sent["data"]["id"])
    known = before and before["role"]
    role = (known or role_of(sent["data"])) if sent["type"] == "user.deleted" else (new_role(sent) or known)
    readers = ["user:" + sent["data"]["id"], "role:admin"]
    return readers if role == "guest" else [*readers, "role:room-admin"]


# Who is who: everything that was ever said is kept, and asked again each time.


def person(portal, id):
    """What all that was said of them comes to; None for somebody unknown or gone."""
    said = portal["people"].get(id, [])
    if not said or not newest(said, "known"):
        return None
    groups = {group for group in mentioned(said) if is_member(portal, said, group)}
    return {"id": id, "role": newest(said, "role") or "user", "status": newest(said, "status"), "groups": groups}


def newest(said, fact):
    """The latest word on one fact; of two that were true at the same time, the one that was recorded later."""
    value, at = ("active" if fact == "status" else None), -1
    for statement in said:
        if statement.get(fact) is not None and statement["time"] >= at:
            value, at = statement[fact], statement["time"]
    return value


def mentioned(said):
    return {group for statement in said for name in ("groups", "joins") for group in statement.get(name) or ()}


def is_member(portal, said, group):
    """The latest word on one membership; a list of all groups is a word on those that are not in it as well."""
    inside, at = False, -1
    for statement in said:
        if statement["time"] < at:
            continue
        if group in (statement.get("leaves") or ()):
            inside, at = False, statement["time"]
        elif group in (statement.get("joins") or ()):
            inside, at = True, statement["time"]
        elif statement.get("groups") is not None:
            inside, at = group in statement["groups"], statement["time"]
    return inside and all(at > word["time"] for word in portal["groups"].get(group, []) if word["gone"])


def learn(portal, statement):
    if statement["what"] == "group":
        portal["groups"].setdefault(statement["id"], []).append(statement)
        return
    if not statement["known"]:
        statement = {**statement, **NEWCOMER}
    portal["people"].setdefault(statement["id"], []).append(statement)


def lessons(portal, sent, accepted):
    """What an event says of people and groups; what it claims to be in the future is true from now on."""
    noun = sent["type"].split(".")[0]
    if sent["type"] not in TYPES or noun not in ("user", "group"):
        return []
    time = accepted
    if sent.get("time") is not None:
        time = min(accepted, round(datetime.fromisoformat(sent["time"]).timestamp() * 1000))
    made = of_user(portal, sent) if noun == "user" else of_group(portal, sent)
    return [{"what": "person", "known": True, "time": time, **statement} for statement in made]


def of_user(portal, sent):
    data = sent["data"]
    groups = None if data.get("groups") is None else ids(data["groups"])
    if sent["type"] == "user.deleted":
        return [{"id": data["id"], "known": False}]
    status = STATUS.get(data.get("status"))
    if sent["type"] == "user.created":
        status = status or "active"
    if sent["type"] == "user.invited":
        status = status or "pending"
    role = new_role(sent)
    if role is None and status is None and groups is None and person(portal, data["id"]) is not None:
        return []
    return [{"id": data["id"], "role": role, "status": status, "groups": groups}]


def of_group(portal, sent):
    group = sent["data"]["id"]
    if sent["type"] == "group.deleted":
        return [{"what": "group", "id": group, "gone": True}]
    made = [{"what": "group", "id": group, "gone": False}]
    if sent["data"].get("members") is not None:
        listed = ids(sent["data"]["members"])
        before = {id for id in portal["people"] if group in (person(portal, id) or NEWCOMER)["groups"]}
        made += [{"id": id, "joins": [group]} for id in listed if id not in before]
        made += [{"id": id, "leaves": [group]} for id in before if id not in listed]
    return made


def new_role(sent):
    """The role an event gives; whoever is created or invited without one is a user."""
    return role_of(sent["data"]) or ("user" if sent["type"] in ("user.created", "user.invited") else None)


def role_of(data):
    if data.get("role") is not None:
        return data["role"]
    if data.get("isOwner") or data.get("isAdmin"):
        return "admin"
    if data.get("isRoomAdmin"):
        return "room-admin"
    if data.get("isVisitor"):
        return "guest"
    flags = [data.get(flag) for flag in ("isOwner", "isAdmin", "isRoomAdmin", "isVisitor")]
    return None if flags == [None] * 4 else "user"


def ids(listed):
    return [entry["id"] if isinstance(entry, dict) else entry for entry in listed]
