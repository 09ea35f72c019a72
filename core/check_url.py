"""The port through which core asks whether a URL may be called; who carries knows."""

from __future__ import annotations

from typing import Protocol


class CheckUrl(Protocol):
    """Refuses a URL that we would not call, with an InvalidInputError that says why."""

    def __call__(self, url: str, ssl: bool) -> None: ...
