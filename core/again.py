"""What becomes of asking for a delivery to be made once more."""

from __future__ import annotations

import msgspec


class Again(msgspec.Struct, frozen=True):
    """What became of asking for the redelivery of `of`: its `number`, or `why` there is none; neither: there would be
    one. `webhook` None: there is no such delivery."""

    of: int
    webhook: int | None
    number: int | None = None
    why: str | None = None
