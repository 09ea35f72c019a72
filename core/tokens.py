"""Who may speak to us as whom: tokens made, and recognised. Only a hash of a token is ever kept.

A token is `hlt_<id>.<secret>`: the id is its stream, 32 hex digits; the secret is 43 characters of base64.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Callable

from core.clock import Clock
from core.directory import Directory, Token
from core.errors import ConflictError, InvalidInputError, UnauthorizedError
from core.intake import Intake
from core.ledger.unit import Entry, Unit
from core.ledger.writer import Writer
from core.limits import TENANT_CHARS_MAX
from core.model import person, token

PREFIX = "hlt_"
SECRET_BYTES = 32
TRIES = 100
"""How often a token is tried again because its person changes at the same time."""


class Made(tuple[str, str]):
    """The token's id, and the token itself, which is shown once."""

    __slots__ = ()


class Tokens:
    """Makes tokens and recognises them."""

    def __init__(
        self, directory: Directory, intake: Intake, writer: Writer, clock: Clock, random: Callable[[int], bytes]
    ) -> None:
        self._directory, self._intake, self._writer = directory, intake, writer
        self._clock, self._random = clock, random

    async def create(self, *, tenant: str, role: str, user: str | None, by: str | None) -> Made:
        """Record a token; a person who was not known becomes known with its role.

        Roles other than `portal` speak for a person and need one; `portal` ignores *user*.
        """
        if role not in token.TOKEN_ROLES:
            raise InvalidInputError(f"no such role {role!r}: use one of {', '.join(token.TOKEN_ROLES)}")
        if not 1 <= len(tenant) <= TENANT_CHARS_MAX:
            raise InvalidInputError(f"a tenant has 1 to {TENANT_CHARS_MAX} characters", limit="TENANT_CHARS_MAX")
        if role == "portal":
            user = None
        elif not user:
            raise InvalidInputError(f"a token of role {role} speaks for a person: name them with --user ID")
        secret = self._random(SECRET_BYTES)
        for _ in range(TRIES):
            stream, unit = self._unit(tenant, role, user, by, secret)
            # Matching waits meanwhile: who somebody is must not be a guess either.
            async with self._intake.held():
                (answer,) = await self._writer.append([unit])
            if type(answer) is int:
                text = base64.urlsafe_b64encode(secret).rstrip(b"=").decode()
                return Made((stream.hex(), f"{PREFIX}{stream.hex()}.{text}"))
        raise ConflictError(f"what is known of {user!r} changes just now; say it again")

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
        id, _, secret = text.removeprefix(PREFIX).partition(".")
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
