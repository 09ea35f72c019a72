"""Who listens, who is who, who may speak: the fold of all landmarks of the ledger, in memory, alike in each process.

Matching reads it as it is just before an event. What intake submits is applied at once and undone if its commit
does not happen (`apply_early`, `keep`, `undo`); all else is applied as it comes out of the ledger (`apply`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from operator import attrgetter

import msgspec

from core.ledger.unit import ZERO_VERSION, Condition, Entry, Recorded, chain
from core.model import catalogue, token, webhook
from core.model.event import Event
from core.model.topics import DIRECTORY_EVENTS, LANDMARKS
from core.model.webhook import Webhook
from core.people import Group, People, Person, Undo

SNAPSHOT = "directory/1"
"""Name of the snapshot; the number is the form of what is in it."""

NUMBER = attrgetter("number")


class Token(msgspec.Struct, frozen=True, array_like=True):
    """A token that may speak, or might before it was revoked."""

    id: bytes
    version: int
    tenant: str
    role: token.TokenRole
    user: str | None
    hash: bytes
    is_revoked: bool = False


class Early(msgspec.Struct, eq=False):
    """Changes applied before their commit: of which tenant, from which version, and how to undo them."""

    tenant: str
    version: bytes
    streams: list[tuple[bytes, int]]
    undo: list[Undo]
    is_undone: bool = False


class Tenant:
    """One tenant's directory: its webhooks by what they want, its people, and the version of both."""

    def __init__(self) -> None:
        self.people = People()
        self.version = ZERO_VERSION
        self.early: list[Early] = []
        self._everything: dict[bytes, Webhook] = {}
        self._by_trigger: dict[str, dict[bytes, Webhook]] = {}
        self._by_target: dict[str, dict[bytes, Webhook]] = {}

    def wanting(self, trigger: str, targets: Sequence[int | str]) -> Sequence[Webhook]:
        """Enabled webhooks that asked for *trigger*, or for everything, and for this entity, or for any; by number."""
        found = dict(self._everything)
        found |= self._by_trigger.get(trigger, {})
        for target in targets:
            for id, known in self._by_target.get(str(target), {}).items():
                if not known.triggers or trigger in known.triggers:
                    found[id] = known
        if len(found) < 2:
            return tuple(found.values())
        return sorted(found.values(), key=NUMBER)

    def widest(self) -> int:
        """How many deliveries one event of this tenant may come to, those of targets apart."""
        return len(self._everything) + max(map(len, self._by_trigger.values()), default=0)

    def put(self, old: Webhook | None, new: Webhook) -> None:
        """Replace a webhook's old form by its new one in the indexes."""
        if old is not None and old.enabled:
            for index in self._indexes(old):
                index.pop(old.id, None)
        if new.enabled:
            for index in self._indexes(new):
                index[new.id] = new

    def _indexes(self, known: Webhook) -> Iterable[dict[bytes, Webhook]]:
        if known.target is not None:
            return [self._by_target.setdefault(known.target, {})]
        if not known.triggers:
            return [self._everything]
        return [self._by_trigger.setdefault(trigger, {}) for trigger in known.triggers]


class Directory:
    """All tenants' directories, webhooks by id and number, tokens, and the catalogue's version."""

    def __init__(self) -> None:
        self.position = 0
        """Everything up to here is in it."""
        self.tenants: dict[str, Tenant] = {}
        self.webhooks: dict[bytes, Webhook] = {}
        self.by_number: dict[int, Webhook] = {}
        self.tokens: dict[bytes, Token] = {}
        self.plugins: dict[str, str] = {}
        self.catalogue_stream_version = 0
        self.catalogue = ZERO_VERSION
        self._expected: set[tuple[bytes, int]] = set()
        self._hasty: set[str] = set()
        """Tenants that may have changes which were applied early."""

    def tenant(self, name: str) -> Tenant:
        found = self.tenants.get(name)
        if found is None:
            found = self.tenants[name] = Tenant()
        return found

    def condition(self, tenant: str) -> Condition:
        """What a unit decided on this directory must name."""
        found = self.tenants.get(tenant)
        return Condition(tenant, ZERO_VERSION if found is None else found.version, self.catalogue)

    def apply(self, recorded: Iterable[Recorded]) -> None:
        """Take in what the ledger holds; events of other kinds are passed over, and those applied early."""
        for position, stream, version, event in recorded:
            if type(event) in LANDMARKS and position > self.position:
                self.position = position
                if (stream, version) in self._expected:
                    self._expected.discard((stream, version))
                else:
                    self._apply(position, stream, version, event)

    def _apply(self, position: int, stream: bytes, version: int, event: Event) -> None:
        match event:
            case catalogue.Changed():
                self.plugins = event.plugins
                self.catalogue_stream_version = version
                self.catalogue = chain(self.catalogue, stream, version, event)
            case token.Created():
                self.tokens[stream] = Token(stream, version, event.tenant, event.role, event.user, event.hash)
            case token.Revoked():
                known = self.tokens[stream]
                self.tokens[stream] = msgspec.structs.replace(known, version=version, is_revoked=True)
            case (
                webhook.Created()
                | webhook.Changed()
                | webhook.SecretReset()
                | webhook.Enabled()
                | webhook.Disabled()
                | webhook.Deleted()
            ):
                tenant = self._overtaken(event.tenant)
                old = self.webhooks.get(stream)
                new = webhook.fold(old, stream, version, position, event)
                tenant.put(old, new)
                self.webhooks[stream] = self.by_number[new.number] = new
                tenant.version = chain(tenant.version, stream, version, event)
            case _:
                tenant = self._overtaken(event.tenant)
                tenant.people.apply(stream, version, event)
                tenant.version = chain(tenant.version, stream, version, event)

    def _overtaken(self, name: str) -> Tenant:
        """The tenant, without what was applied early: the ledger refuses it, for something else came first."""
        tenant = self.tenant(name)
        if tenant.early:
            self.undo(tenant.early[0])
        return tenant

    # Changes that are on their way into the ledger.

    def apply_early(self, tenant_name: str, entries: Iterable[Entry]) -> Early:
        """Apply changes of persons and groups before their commit."""
        tenant = self.tenant(tenant_name)
        early = Early(tenant_name, tenant.version, [], [])
        for stream, version, event in entries:
            if type(event) in DIRECTORY_EVENTS:
                early.undo.append(tenant.people.apply(stream, version, event))
                early.streams.append((stream, version))
                tenant.version = chain(tenant.version, stream, version, event)
        tenant.early.append(early)
        self._hasty.add(tenant_name)
        return early

    def keep(self, early: Early) -> None:
        """The commit happened: these changes stay. Called in the order of the ledger, before `apply` sees them.

        If they were dropped meanwhile, `apply` makes them again.
        """
        if not early.is_undone:
            self.tenant(early.tenant).early.remove(early)
            self._expected.update(early.streams)

    def undo(self, early: Early) -> None:
        """The commit did not happen: drop these changes and all that were made after them on top."""
        if early.is_undone:
            return
        tenant = self.tenant(early.tenant)
        while tenant.early:
            newest = tenant.early.pop()
            for undo in reversed(newest.undo):
                tenant.people.undo(undo)
            tenant.version = newest.version
            newest.is_undone = True
            if newest is early:
                return

    def drop_early(self) -> None:
        """Something else comes first: drop all changes that wait for their commit. Those that happen all the same are
        applied again."""
        for name in self._hasty:
            self._overtaken(name)
        self._hasty.clear()

    # Snapshots.

    def snapshot(self) -> bytes:
        """All of it as bytes; only without changes under way."""
        state = _State(
            self.position,
            [
                _TenantState(
                    name, tenant.version, list(tenant.people.persons.values()), list(tenant.people.groups.values())
                )
                for name, tenant in self.tenants.items()
            ],
            list(self.webhooks.values()),
            list(self.tokens.values()),
            self.plugins,
            self.catalogue_stream_version,
            self.catalogue,
        )
        return msgspec.msgpack.encode(state)

    @classmethod
    def restored(cls, snapshot: bytes) -> Directory:
        """The directory as it was when the snapshot was taken."""
        state = msgspec.msgpack.decode(snapshot, type=_State)
        directory = cls()
        directory.position = state.position
        for kept in state.tenants:
            tenant = directory.tenant(kept.name)
            tenant.version = kept.version
            tenant.people = People(kept.persons, kept.groups)
        for known in state.webhooks:
            directory.webhooks[known.id] = directory.by_number[known.number] = known
            directory.tenant(known.tenant).put(None, known)
        directory.tokens = {known.id: known for known in state.tokens}
        directory.plugins = state.plugins
        directory.catalogue_stream_version = state.catalogue_stream_version
        directory.catalogue = state.catalogue
        return directory


class _TenantState(msgspec.Struct, array_like=True):
    name: str
    version: bytes
    persons: list[Person]
    groups: list[Group]


class _State(msgspec.Struct, array_like=True):
    position: int
    tenants: list[_TenantState]
    webhooks: list[Webhook]
    tokens: list[Token]
    plugins: dict[str, str]
    catalogue_stream_version: int
    catalogue: bytes
