"""What a webhook's URL must be like, and where it must not lead, as core asks for it."""

from __future__ import annotations

from collections.abc import Sequence

from core.check_url import CheckUrl
from delivery.addresses import AddressGuard, Network
from delivery.sender import parse_url


def url_check(guard: AddressGuard) -> CheckUrl:
    """What a webhook's URL must be like, and where it must not lead."""

    def check(url: str, ssl: bool) -> None:
        parse_url(url, ssl)
        guard.check_url(url)

    return check


def url_check_allowing(allow: Sequence[Network]) -> CheckUrl:
    """The same, for who has no service: a command that opens the ledger itself."""
    return url_check(AddressGuard(allow))
