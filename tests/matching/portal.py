"""What a portal may send, drawn at random: few people and few files, so that everything has to do with everything."""

from __future__ import annotations

import json
from datetime import UTC, datetime

from tests.builders import remove_person, set_person
from tests.oracle import TYPES

PEOPLE = [f"p{number}" for number in range(7)]
GROUPS = ["g1", "g2", "g3"]
ENTITIES = [1, 2, 3, "4", "4"]
ROLES = ["admin", "room-admin", "user", "guest"]
FLAGS = ["isOwner", "isAdmin", "isRoomAdmin", "isVisitor"]
OTHERS = [type for type in TYPES if type.split(".")[0] not in ("user", "group")]
HOUR_MS = 3_600_000


class Portal:
    """One portal: what it sends, by chance, and some of it twice."""

    def __init__(self, random, tenant, clock, sent):
        self.random, self.tenant, self._clock = random, tenant, clock
        self._sent = sent
        """The ids that this tenant's portal has used, newest last."""

    def batch(self):
        """Some events as one request; now and then somebody becomes somebody else just before a file is touched."""
        events = []
        for _ in range(self.random.randint(1, 6)):
            if self.random.random() < 0.3:
                events += [self.user(), self.entry()]
            else:
                events.append(self.random.choice([self.user, self.group, self.entry, self.entry, self.odd])())
        return json.dumps([self.dated(event) for event in events]).encode()

    def dated(self, event):
        """With an id, which may be an old one, and maybe a time, which may be any."""
        event["id"] = self.id()
        self._sent.append(event["id"])
        now = self._clock.now_ms()
        time = self.random.choice([None, None, now - self.random.randint(0, 5_000), now // 1000 * 1000, now + HOUR_MS])
        if time is not None:
            event["time"] = datetime.fromtimestamp(time / 1000, UTC).isoformat()
        if self.random.random() < 0.4:
            event["actor"] = self.random.choice(PEOPLE)
        if self.random.random() < 0.4:
            event["readers"] = self.readers()
        return event

    def id(self):
        """A new one, or one of the last."""
        if self._sent and self.random.random() < 0.2:
            return self.random.choice(self._sent[-20:])
        return f"{self.tenant}-{len(self._sent)}"

    def readers(self):
        named = ["everyone", "user:" + self.random.choice(PEOPLE), "group:" + self.random.choice(GROUPS)]
        named += ["group:" + self.random.choice(GROUPS), "role:" + self.random.choice(ROLES)]
        return self.random.sample(named, self.random.randint(0, 2))

    def user(self):
        data = {"id": self.random.choice(PEOPLE)}
        if self.random.random() < 0.5:
            data["role"] = self.random.choice(ROLES)
        elif self.random.random() < 0.5:
            data |= {flag: self.random.random() < 0.3 for flag in self.random.sample(FLAGS, 2)}
        if self.random.random() < 0.3:
            data["status"] = self.random.choice([1, 1, 2, 4])
        if self.random.random() < 0.4:
            data["groups"] = self.some(GROUPS)
        kinds = ["user.created", "user.invited", "user.updated", "user.updated", "user.updated", "user.deleted"]
        return {"type": self.random.choice(kinds), "data": data}

    def group(self):
        data = {"id": self.random.choice(GROUPS)}
        if self.random.random() < 0.7:
            data["members"] = self.some(PEOPLE)
        kinds = ["group.created", "group.updated", "group.updated", "group.deleted"]
        return {"type": self.random.choice(kinds), "data": data}

    def entry(self):
        type = self.random.choice(OTHERS)
        data = {"id": self.random.choice(ENTITIES)}
        if type == "form.submit":
            data = {"originalForm": data, "submittedForm": {"id": self.random.choice(ENTITIES)}}
        if self.random.random() < 0.2:
            data["hidden"] = True
        return {"type": type, "data": data}

    def odd(self):
        """What nobody knows, or nobody can read."""
        return self.random.choice([{"type": "kite.flown", "data": {}}, {"type": "file.moved", "data": {"id": []}}])

    def some(self, ids):
        """A few of them, some as objects."""
        chosen = self.random.sample(ids, self.random.randint(0, len(ids)))
        return [id if self.random.random() < 0.5 else {"id": id} for id in chosen]

    def fact(self):
        """What an import says of a person, at some time of the last moments."""
        id, time = self.random.choice(PEOPLE), self._clock.now_ms() - self.random.randint(0, 5_000)
        if self.random.random() < 0.2:
            return remove_person(id, tenant=self.tenant, time=time)
        role, groups = self.random.choice([None, *ROLES]), tuple(self.random.sample(GROUPS, 2))
        return set_person(id, tenant=self.tenant, time=time, role=role, groups=self.random.choice([None, groups]))

    def webhook(self):
        """What a new webhook may ask for."""
        return {
            "tenant": self.tenant,
            "name": "any",
            "url": "http://127.0.0.1/",
            "owner": self.random.choice([None, "stranger", *PEOPLE]),
            "triggers": self.random.choice([[], [], self.random.sample(TYPES, 9), self.random.sample(TYPES, 18)]),
            "target": self.random.choice([None, None, None, "1", "4", "g1", "p1"]),
            "enabled": self.random.random() < 0.8,
        }
