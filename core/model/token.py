"""The aggregate Token: who may speak to us as whom; only a hash of it is kept."""

from __future__ import annotations

from typing import Literal

from core.model.event import Event

TokenRole = Literal["admin", "room-admin", "user", "guest", "portal"]
TOKEN_ROLES: tuple[TokenRole, ...] = ("admin", "room-admin", "user", "guest", "portal")

PREFIX = "hlt_"
"""What a token begins with, before its id."""


class Created(Event):
    """`hash` is SHA-256 of the token's secret part; `user` None for `portal`."""

    by: str | None
    role: TokenRole
    user: str | None
    hash: bytes


class Revoked(Event):
    """Answers 401 from here on."""

    by: str | None
