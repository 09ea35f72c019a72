"""Who may speak to us as whom: tokens made, and recognised. Only a hash of a token is ever kept.

A token is `hlt_<id>.<secret>`: the id is its stream, 32 hex digits; the secret is 43 characters of base64.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Callable, Sequence

from core.clock import Clock
from core.directory import Directory, Token
from core.errors import ConflictError, InvalidInputError, NotFoundError, UnauthorizedError
from core.intake import Intake
from core.ledger.unit import Duplicate, Entry, Unit
from core.ledger.writer import Writer
from core.limits import USER_CHARS_MAX, WEBHOOKS_AT_ONCE_MAX
from core.model import person, token
from core.once import Asked, append
from core.webhook_fields import check_tenant, check_text

SECRET_BYTES = 32
TRIES = 100
"""How often a token is tried again because its person changes at the same time."""


class Made(tuple[str, str]):
    """The token's id, and the token itself, which is shown once."""

    __slots__ = ()


class Tokens:
    """Makes tokens, recognises and revokes them."""

    def __init__(
        self, directory: Directory, intake: Intake, writer: Writer, clock: Clock, random: Callable[[int], bytes]
    ) -> None:
        self._directory, self._intake, self._writer = directory, intake, writer
        self._clock, self._random = clock, random

    async def create(
        self, *, tenant: str, role: str, user: str | None, by: str | None, asked: Asked | None = None
    ) -> Made:
        """Record a token; a person who was not known becomes known with its role.

        Roles other than `portal` speak for a person and need one; `portal` ignores *user*.
        """
        if role not in token.TOKEN_ROLES:
            raise InvalidInputError(f"no such role {role!r}: use one of {', '.join(token.TOKEN_ROLES)}")
        check_tenant(tenant)
        if role == "portal":
            user = None
        elif not user:
            raise InvalidInputError(f"a token of role {role} speaks for a person: name them with --user ID")
        else:
            check_text("user", user, USER_CHARS_MAX, "USER_CHARS_MAX")
        secret = self._random(SECRET_BYTES)
        for _ in range(TRIES):
            stream, unit = self._unit(tenant, role, user, by, secret)
            # Matching waits meanwhile: who somebody is must not be a guess either.
            async with self._intake.held():
                answer = await append(self._writer, unit, asked)
            if isinstance(answer, Duplicate):
                break
            if type(answer) is int:
                text = base64.urlsafe_b64encode(secret).rstrip(b"=").decode()
                return Made((stream.hex(), f"{token.PREFIX}{stream.hex()}.{text}"))
        raise ConflictError(f"what is known of {user!r} changes just now; say it again")

    async def revoke(self, *ids: str, by: str | None, asked: Asked | None = None) -> list[Token]:
        """Revoke tokens, all or none; those that were not revoked already, as they were before."""
        if len(ids) > WEBHOOKS_AT_ONCE_MAX:
            raise InvalidInputError(f"more than {WEBHOOKS_AT_ONCE_MAX} tokens", limit="WEBHOOKS_AT_ONCE_MAX")
        named = {known.id: known for known in map(self.get, ids)}
        found = [known for known in named.values() if not known.is_revoked]
        if found:
            now = self._clock.now_ms()
            entries = [Entry(known.id, known.version + 1, token.Revoked(known.tenant, now, by)) for known in found]
            answer = await append(self._writer, Unit(entries), asked)
            if type(answer) is not int:
                raise ConflictError("somebody else revoked one of these tokens just now; look at them and say it again")
        return found

    def get(self, id: str) -> Token:
        """The token of this id; NotFoundError when there is none. Never says what it was asked: it may be a token."""
        try:
            known = self._directory.tokens.get(bytes.fromhex(id))
        except ValueError:
            known = None
        if known is None:
            raise NotFoundError("there is no such token: `hookledger token list` shows their ids")
        return known

    def all(self, tenant: str | None = None) -> Sequence[Token]:
        """All tokens there ever were, of one tenant or of all, the oldest first."""
        return [known for _, known in sorted(self._directory.tokens.items()) if tenant in (None, known.tenant)]

    def _unit(self, tenant: str, role: str, user: str | None, by: str | None, secret: bytes) -> tuple[bytes, Unit]:
        now = self._clock.now_ms()
        prefix = now.to_bytes(6, "big")
        stream = prefix + self._random(10)
        created = token.Created(tenant, now, by, role, user, hashlib.sha256(secret).digest())  # type: ignore[arg-type]
        entries = [Entry(stream, 1, created)]
        condition = None
        if user is not None:
            people = self._directory.tenant(tenant).people
            # Nobody else may make this person known at the same time.
            condition = self._directory.condition(tenant)
            if people.person(user) is None:
                known = people.persons.get(user)
                where = (prefix + self._random(10), 1) if known is None else (known.stream, known.version + 1)
                became = person.Set(tenant, now, user, now, role, "active", None, (), (), stream)  # type: ignore[arg-type]
                entries.append(Entry(*where, became))
        return stream, Unit(entries, condition=condition)

    def recognise(self, text: str) -> Token:
        """The token that *text* is; UnauthorizedError when it is none, was revoked, or its person is gone."""
        id, _, secret = text.removeprefix(token.PREFIX).partition(".")
        try:
            stream = bytes.fromhex(id)
            digest = hashlib.sha256(base64.urlsafe_b64decode(secret + "=" * (-len(secret) % 4))).digest()
        except ValueError:
            raise UnauthorizedError("this is not a token") from None
        known = self._directory.tokens.get(stream)
        if known is None or not hmac.compare_digest(known.hash, digest) or known.is_revoked:
            raise UnauthorizedError("no such token")
        if known.user is not None:
            found = self._directory.tenant(known.tenant).people.person(known.user)
            if found is None or found.status == "terminated":
                raise UnauthorizedError("the person this token speaks for is gone")
        return known
