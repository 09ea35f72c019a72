"""Operations on tokens: make one, list them, revoke several, all or none."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec

from core.clock import to_iso
from core.model.event import OPERATOR
from core.operations.operation import Operation, Recording

if TYPE_CHECKING:  # as in operation.py
    from core.directory import Token
    from core.ledger.unit import Recorded
    from core.office import Office
    from core.once import Asked

AGAIN = (
    "this was done before, under the same key, and the token was shown then; whoever does not have it revokes it and "
    "makes another: `hookledger token revoke {}`"
)


class CreateToken(msgspec.Struct, frozen=True):
    """*user* is needed by every role but `portal`, which ignores it."""

    role: str
    user: str | None = None
    tenant: str = "1"


class CreatedToken(msgspec.Struct, frozen=True, omit_defaults=True):
    """`token` is shown this once: it is not there where it was made before under the same key, and `note` says so."""

    id: str
    token: str | None = None
    note: str | None = None


class ListTokens(msgspec.Struct, frozen=True):
    """*tenant* None: of all."""

    tenant: str | None = None


class TokenShown(msgspec.Struct, frozen=True):
    """A token as people see it; what it is itself was shown once. `user` None: it is a portal's."""

    id: str
    tenant: str
    role: str
    user: str | None
    revoked: bool
    created_at: str


class RevokeTokens(msgspec.Struct, frozen=True):
    """*ids* are the tokens' ids, not the tokens."""

    ids: tuple[str, ...]


class RevokedToken(msgspec.Struct, frozen=True):
    """A token that was named. `is_changed` False: it was revoked already."""

    id: str
    is_changed: bool = msgspec.field(name="changed")


def shown(known: Token) -> TokenShown:
    created_at = int.from_bytes(known.id[:6], "big")
    return TokenShown(known.id.hex(), known.tenant, known.role, known.user, known.is_revoked, to_iso(created_at))


async def _create(office: Office, request: CreateToken, asked: Asked | None) -> CreatedToken:
    made = await office.tokens.create(
        tenant=request.tenant, role=request.role, user=request.user, by=OPERATOR, asked=asked
    )
    return CreatedToken(*made)


def _created_again(_: Office, __: CreateToken, recorded: Sequence[Recorded]) -> CreatedToken:
    id = recorded[0].stream.hex()
    return CreatedToken(id, note=AGAIN.format(id))


async def _list(office: Office, request: ListTokens) -> list[TokenShown]:
    return [shown(known) for known in office.tokens.all(request.tenant)]


async def _revoke(office: Office, request: RevokeTokens, asked: Asked | None) -> list[RevokedToken]:
    changed = {known.id.hex() for known in await office.tokens.revoke(*request.ids, by=OPERATOR, asked=asked)}
    return [RevokedToken(id, id in changed) for id in _ids(request)]


def _revoked_again(_: Office, request: RevokeTokens, recorded: Sequence[Recorded]) -> list[RevokedToken]:
    changed = {one.stream.hex() for one in recorded}
    return [RevokedToken(id, id in changed) for id in _ids(request)]


def _ids(request: RevokeTokens) -> Sequence[str]:
    return list(dict.fromkeys(id.lower() for id in request.ids))


CREATE = Recording("token.create", CreateToken, CreatedToken, _create, _created_again, begins=True)
LIST = Operation("token.list", ListTokens, list[TokenShown], _list)
REVOKE = Recording("token.revoke", RevokeTokens, list[RevokedToken], _revoke, _revoked_again)
