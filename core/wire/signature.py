"""Signatures of a request's body, in DocSpace's form and in that of Standard Webhooks, and the secrets behind them."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re

from core.errors import InvalidInputError
from core.limits import SECRET_CHARS_MAX, SECRET_CHARS_MIN

PREFIX = "whsec_"
"""A secret with it is one of Standard Webhooks': the rest is its key in base64."""
KEY_BYTES_MIN = 16
"""Of a `whsec_` secret. A shorter key can be guessed, and nobody types those: programs make them. 16 bytes, and not the
24 that Standard Webhooks asks for, so that a secret in use elsewhere can be brought along."""
GENERATED_BYTES_MIN = 24
"""Of a secret we make: what Standard Webhooks asks for at least."""
GENERATED_BYTES_MAX = 32
"""Of a secret we make."""

_BLOCK_BYTES = 64
_INNER = bytes(byte ^ 0x36 for byte in range(256))
_OUTER = bytes(byte ^ 0x5C for byte in range(256))
_BASE64 = re.compile(r"[A-Za-z0-9+/]+={0,2}")
_PRINTABLE = re.compile(r"[\x21-\x7e]*")


class Signer:
    """Signs with one secret; make it once and keep it.

    HMAC-SHA-256 with the key's two blocks hashed beforehand (RFC 2104): half the time of `hmac.digest`.
    """

    __slots__ = ("_docspace_inner", "_docspace_outer", "_standard_inner", "_standard_outer")

    def __init__(self, secret: str) -> None:
        block = _block(docspace_key(secret))
        self._docspace_inner = hashlib.sha256(block.translate(_INNER)).copy
        self._docspace_outer = hashlib.sha256(block.translate(_OUTER)).copy
        block = _block(standard_key(secret))
        self._standard_inner = hashlib.sha256(block.translate(_INNER)).copy
        self._standard_outer = hashlib.sha256(block.translate(_OUTER)).copy

    def docspace(self, body: bytes) -> str:
        """The value of `x-docspace-signature-256`."""
        inner = self._docspace_inner()
        inner.update(body)
        outer = self._docspace_outer()
        outer.update(inner.digest())
        return "sha256=" + outer.hexdigest().upper()

    def standard(self, webhook_id: str, timestamp_s: int, body: bytes) -> str:
        """The value of `webhook-signature`; *webhook_id* and *timestamp_s* are sent beside it and signed with it."""
        inner = self._standard_inner()
        inner.update(f"{webhook_id}.{timestamp_s}.".encode())
        inner.update(body)
        outer = self._standard_outer()
        outer.update(inner.digest())
        return "v1," + binascii.b2a_base64(outer.digest(), newline=False).decode("ascii")


def docspace_key(secret: str) -> bytes:
    """The secret's bytes as typed, whatever it looks like."""
    return secret.encode()


def standard_key(secret: str) -> bytes:
    """The decoded rest of a `whsec_` secret; of any other, and of one that does not decode, its bytes as typed."""
    return _decoded(secret) or secret.encode()


def verifier(secret: str) -> str:
    """The secret as any Standard Webhooks verifier takes it."""
    return PREFIX + base64.b64encode(standard_key(secret)).decode("ascii")


def generate(random_bytes: bytes) -> str:
    """A secret of 24 to 32 random bytes that is the same to receivers of both kinds."""
    if not GENERATED_BYTES_MIN <= len(random_bytes) <= GENERATED_BYTES_MAX:
        raise ValueError(f"{len(random_bytes)} random bytes, not {GENERATED_BYTES_MIN} to {GENERATED_BYTES_MAX}")
    return PREFIX + base64.b64encode(random_bytes).decode("ascii")


def check(secret: str) -> None:
    """InvalidInputError when a webhook may not have this secret.

    A `whsec_` secret that does not decode is refused, although it could be used as typed: whoever sets one gives the
    same to a verifier, which would take it for another key and refuse every request of ours.
    """
    if len(secret) < SECRET_CHARS_MIN:
        raise InvalidInputError(f"the secret needs {SECRET_CHARS_MIN} characters or more", limit="SECRET_CHARS_MIN")
    if len(secret) > SECRET_CHARS_MAX:
        raise InvalidInputError(f"the secret has more than {SECRET_CHARS_MAX} characters", limit="SECRET_CHARS_MAX")
    if _PRINTABLE.fullmatch(secret) is None:
        raise InvalidInputError("the secret may hold only printable ASCII characters, and no spaces")
    if not secret.startswith(PREFIX):
        return
    key = _decoded(secret)
    if key is None:
        raise InvalidInputError(f"a secret that begins with {PREFIX} must go on in base64 (A-Z a-z 0-9 + /)")
    if len(key) < KEY_BYTES_MIN:
        raise InvalidInputError(
            f"the key in the {PREFIX} secret has {len(key)} bytes; it needs {KEY_BYTES_MIN} or more",
            limit="KEY_BYTES_MIN",
        )


def _decoded(secret: str) -> bytes | None:
    text = secret.removeprefix(PREFIX)
    if not secret.startswith(PREFIX) or _BASE64.fullmatch(text) is None:
        return None
    text = text.rstrip("=")
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4))
    except binascii.Error:
        return None


def _block(key: bytes) -> bytes:
    if len(key) > _BLOCK_BYTES:
        key = hashlib.sha256(key).digest()
    return key.ljust(_BLOCK_BYTES, b"\0")
