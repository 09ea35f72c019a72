"""Turns portal events, and what plugins make of them, into the units that record both and their deliveries."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from hashlib import sha256

import msgspec

from core.asking import Unasked
from core.directory import Directory, Early
from core.incoming import Checked, Rejected, Source
from core.ledger.unit import Body, Claim, Entry, Unit
from core.matching import candidates
from core.model import delivery, group, person
from core.model.portal_event import Proof, Received
from core.model.webhook import Webhook
from core.plugins import Plugins, Spoiled
from core.trigger import (
    Change,
    Owner,
    PortalEvent,
    Reading,
    RemoveGroup,
    RemovePerson,
    SetGroup,
    SetPerson,
    Unreadable,
)
from core.wire.docspace_json import encode

Random = Callable[[int], bytes]
"""That many random bytes."""

_STORED = msgspec.msgpack.Encoder(enc_hook=list).encode

Todo = list[tuple[int, Checked]]
"""Events with their places in the request."""


def claim_of(tenant: str, event: Checked) -> Claim:
    """What makes sure that an event is recorded once."""
    return Claim(f"event:{tenant}", event.id)


class Composed(msgspec.Struct):
    """A unit on its way: which event it is of, and the directory changes made ahead of its commit."""

    index: int
    unit: Unit
    received: Received
    early: Early | None


class Composer:
    """Turns events and what plugins make of them into the units that record both."""

    def __init__(
        self, directory: Directory, plugins: Plugins, random: Random, tenant: str, source: Source, now_ms: int
    ) -> None:
        self._directory = directory
        self._plugins = plugins
        self._random = random
        self._tenant = tenant
        self._source = source
        self._now = now_ms
        self._prefix = now_ms.to_bytes(6, "big")

    def units(self, todo: Todo) -> tuple[list[Composed], dict[int, Rejected], set[int]]:
        """Units for *todo*, in order; events that change the directory are read and judged in their place. Then those
        that their plugin cannot read, and the places of those that a plugin which hangs was not asked about."""
        matched: list[Composed] = []
        rejected: dict[int, Rejected] = {}
        unasked: set[int] = set()
        stretch: list[tuple[int, Checked, PortalEvent]] = []

        def keep(unit: Composed | None) -> bool:
            if unit is not None:
                matched.append(unit)
            return unit is not None

        def close() -> None:
            if not stretch:
                return
            readings = self._plugins.read(
                [portal_event for _, _, portal_event in stretch], self._directory.tenant(self._tenant).people
            )
            for (index, event, portal_event), reading in zip(stretch, readings, strict=True):
                if isinstance(reading, Unreadable):
                    said = f"{event.path}.{reading.path}: {reading.reason}"
                    rejected[index] = Rejected(event.id, said, kind="unreadable")
                elif isinstance(reading, Unasked) or not keep(self.unit(index, event, portal_event, reading)):
                    unasked.add(index)
            stretch.clear()

        catalogue = self._plugins.triggers
        for index, event in todo:
            registered = catalogue.get(event.type)
            portal_event = event.as_portal_event(self._now)
            if registered is None:
                if not keep(self.unit(index, event, portal_event, None)):
                    unasked.add(index)
            elif registered.trigger.changes_directory:
                close()
                stretch.append((index, event, portal_event))
                close()
            else:
                stretch.append((index, event, portal_event))
        close()
        # Units of unknown types were made ahead of the stretch they stood in; they depend on nothing.
        matched.sort(key=lambda unit: unit.index)
        return matched, rejected, unasked

    def unit(
        self, index: int, event: Checked, portal_event: PortalEvent, reading: Reading | Spoiled | None
    ) -> Composed | None:
        """None when a plugin that has a say is left alone just now."""
        tenant, now = self._tenant, self._now
        condition = self._directory.condition(tenant)
        random = self._random(23)
        prefix, salt = self._prefix + random[:7], random[7:]
        stream = prefix + b"\0\0\0"
        registered = self._plugins.triggers.get(event.type)
        webhooks: Sequence[Webhook] = ()
        payload, reading = self._written(event, reading)
        readers = event.readers
        target_type: str | None = None
        targets: tuple[int | str, ...] = ()
        if type(reading) is Reading:
            target_type, targets = reading.target_type, tuple(reading.target_ids)
            if readers is None and reading.readers is not None:
                readers = tuple(reading.readers)
            found = self._webhooks(event, portal_event, targets, readers)
            if found is None:
                return None
            webhooks = found
        received = Received(
            tenant,
            now,
            event.id,
            event.type,
            None if registered is None else registered.trigger.name,
            None if registered is None else registered.trigger.bit,
            event.time,
            event.actor,
            target_type,
            targets,
            readers,
            event.source or self._source,
            None if registered is None else registered.plugin,
            None if registered is None else registered.version,
            reading.fault if type(reading) is Spoiled else None,
            len(webhooks),
            Proof(len(event.raw), sha256(salt + event.raw).digest()),
            None if payload is None else Proof(len(payload), sha256(salt + payload).digest()),
            event.traceparent,
        )
        entries = [Entry(stream, 1, received)]
        early = None
        if type(reading) is Reading and reading.changes:
            changes = self._changes(reading.changes, portal_event, stream)
            entries += changes
            early = self._directory.apply_early(tenant, changes)
        for number, webhook in enumerate(webhooks, 1):
            entries.append(
                Entry(prefix + number.to_bytes(3, "big"), 1, delivery.Created(tenant, now, webhook.number, stream))
            )
        unit = Unit(entries, claim_of(tenant, event), condition, (Body(0, salt, event.raw, payload),))
        return Composed(index, unit, received, early)

    def _written(
        self, event: Checked, reading: Reading | Spoiled | None
    ) -> tuple[bytes | None, Reading | Spoiled | None]:
        """The payload as receivers get it; what cannot be written is its plugin's fault, and spoils its event alone."""
        if type(reading) is not Reading:
            return None, reading
        try:
            payload = encode(reading.payload)
            # What cannot be stored must not fail the commit of others.
            _STORED((reading.target_type, reading.target_ids, reading.readers, reading.changes))
        except Exception as error:  # noqa: BLE001 - what a plugin answered may be objects with code of its own
            return None, self._plugins.spoiled(event.type, error)
        return payload, reading

    def _webhooks(
        self,
        event: Checked,
        portal_event: PortalEvent,
        targets: Sequence[int | str],
        readers: Sequence[str] | None,
    ) -> Sequence[Webhook] | None:
        tenant = self._directory.tenant(self._tenant)
        found = candidates(tenant, event.type, targets, event.actor, readers)
        if self._plugins.has_can_see:
            doubts = [(webhook, owner) for webhook, owner in found if owner is not None]
            if doubts:
                pairs = [(Owner(owner.id, owner.role, owner.groups), portal_event) for _, owner in doubts]
                allowed = self._plugins.can_see(pairs, tenant.people)
                if allowed is None:
                    return None
                refused = {doubt[0].id for doubt, may in zip(doubts, allowed, strict=True) if not may}
                return [webhook for webhook, _ in found if webhook.id not in refused]
        return [webhook for webhook, _ in found]

    def _changes(self, changes: Sequence[Change], portal_event: PortalEvent, cause: bytes) -> list[Entry]:
        """What the plugin learnt, as recorded events on the streams of those it is about."""
        people = self._directory.tenant(self._tenant).people
        time = min(portal_event.time, self._now)
        entries: list[Entry] = []
        begun: dict[tuple[str, str], tuple[bytes, int]] = {}
        for change in changes:
            is_person = isinstance(change, SetPerson | RemovePerson)
            kind = "person" if is_person else "group"
            known = begun.get((kind, change.id))
            if known is None:
                found = people.persons.get(change.id) if is_person else people.groups.get(change.id)
                known = (found.stream, found.version) if found is not None else (self._prefix + self._random(10), 0)
            stream, version = known[0], known[1] + 1
            begun[kind, change.id] = (stream, version)
            entries.append(Entry(stream, version, self._recorded(change, time, cause)))
        return entries

    def _recorded(
        self, change: Change, time: int, cause: bytes
    ) -> person.Set | person.Removed | group.Set | group.Removed:
        match change:
            case SetPerson():
                return person.Set(
                    self._tenant,
                    self._now,
                    change.id,
                    time,
                    change.role,
                    change.status,
                    None if change.groups is None else tuple(change.groups),
                    tuple(change.joins),
                    tuple(change.leaves),
                    cause,
                )
            case RemovePerson():
                return person.Removed(self._tenant, self._now, change.id, time, cause)
            case SetGroup():
                return group.Set(self._tenant, self._now, change.id, time, cause)
            case RemoveGroup():
                return group.Removed(self._tenant, self._now, change.id, time, cause)
