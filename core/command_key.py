"""The key somebody gives to what they ask for (`Idempotency-Key`), so that saying it again does not do it again."""

from __future__ import annotations

import re
from typing import Final

from core.errors import InvalidInputError
from core.limits import IDEMPOTENCY_KEY_CHARS_MAX

HEADER = "Idempotency-Key"

_KEY: Final = re.compile(rf"[\x21-\x7e]{{1,{IDEMPOTENCY_KEY_CHARS_MAX}}}")


def check_key(key: str) -> None:
    """InvalidInputError when this cannot be a key; it may have to stand in a header."""
    if _KEY.fullmatch(key) is None:
        raise InvalidInputError(
            f"an idempotency key has 1 to {IDEMPOTENCY_KEY_CHARS_MAX} printable ASCII characters and no spaces",
            limit="IDEMPOTENCY_KEY_CHARS_MAX",
        )
