"""Operations on tokens: make one."""

from __future__ import annotations

import msgspec

from core.model.event import OPERATOR
from core.office import Office
from core.operations.operation import Operation


class CreateToken(msgspec.Struct, frozen=True):
    """*user* is needed by every role but `portal`, which ignores it."""

    role: str
    user: str | None = None
    tenant: str = "1"


class CreatedToken(msgspec.Struct, frozen=True):
    """`token` is shown this once."""

    id: str
    token: str


async def _create(office: Office, request: CreateToken) -> CreatedToken:
    made = await office.tokens.create(tenant=request.tenant, role=request.role, user=request.user, by=OPERATOR)
    return CreatedToken(*made)


CREATE = Operation("token.create", CreateToken, CreatedToken, _create, begins=True)
