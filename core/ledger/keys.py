"""The master key, and the sealing of webhooks' secrets under it.

The cipher of `eventsourcing` is not used: what it seals names no key, so that a wrong one cannot be told from a
broken ledger, and is bound to nothing, so that one webhook's secret could be put in another's place.
"""

from __future__ import annotations

import base64
import hashlib
import os
import re
import stat
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from core.errors import LedgerError
from core.ledger.files import sync
from core.settings import KEY_VARIABLE

KEY_FILE = "master.key"
KEY_BYTES = 32
NONCE_BYTES = 12
MARK_BYTES = 16

_SEAL_VERSION = b"\x01"
_NONCE_AT = 1 + 4
_CIPHERTEXT_AT = _NONCE_AT + NONCE_BYTES
_TAG_BYTES = 16
_HEX = re.compile(r"[0-9A-Fa-f]{64}")
_BASE64 = re.compile(r"[A-Za-z0-9+/_-]{43}=?")


class MasterKey:
    """What all secrets of a ledger are sealed under.

    A sealed secret is: version (1 byte), id of the key (4), nonce (12), AES-256-GCM ciphertext with its tag; the
    webhook's id is the associated data.
    """

    __slots__ = ("_cipher", "_marking", "key_id")

    def __init__(self, key: bytes) -> None:
        if len(key) != KEY_BYTES:
            raise ValueError(f"a master key of {len(key)} bytes, not {KEY_BYTES}")
        self.key_id = hashlib.sha256(key).digest()[: _NONCE_AT - 1]
        self._cipher = AESGCM(key)
        self._marking = hashlib.blake2b(key=key, person=b"marks").digest()

    def __repr__(self) -> str:
        return f"MasterKey(id {self.key_id.hex()})"

    def seal(self, secret: str, webhook: bytes, nonce: bytes) -> bytes:
        """*nonce*: 12 bytes that were never used under this key; take random ones."""
        if len(nonce) != NONCE_BYTES:
            raise ValueError(f"a nonce of {len(nonce)} bytes, not {NONCE_BYTES}")
        return _SEAL_VERSION + self.key_id + nonce + self._cipher.encrypt(nonce, secret.encode(), webhook)

    def open(self, sealed: bytes, webhook: bytes) -> str:
        """The secret; LedgerError when it is another key's, another webhook's, or not what was sealed."""
        version, key_id, nonce = sealed[:1], sealed[1:_NONCE_AT], sealed[_NONCE_AT:_CIPHERTEXT_AT]
        ciphertext = sealed[_CIPHERTEXT_AT:]
        if version != _SEAL_VERSION or len(ciphertext) < _TAG_BYTES:
            raise LedgerError(f"the secret of webhook {webhook.hex()} is not sealed in a way this version knows")
        if key_id != self.key_id:
            raise LedgerError(
                f"the secret of webhook {webhook.hex()} was sealed with the master key {key_id.hex()}, "
                f"and this one is {self.key_id.hex()}: bring back {KEY_FILE} or {KEY_VARIABLE}"
            )
        try:
            return self._cipher.decrypt(nonce, ciphertext, webhook).decode()
        except InvalidTag:
            raise LedgerError(f"the sealed secret of webhook {webhook.hex()} was changed") from None

    def mark(self, data: bytes) -> bytes:
        """16 bytes that stand for *data*: who has not the key can neither make them nor guess at it by them."""
        return hashlib.blake2b(data, digest_size=MARK_BYTES, key=self._marking).digest()


def master_key(
    environment: Mapping[str, str], data: Path, random_bytes: Callable[[int], bytes], *, create: bool
) -> MasterKey:
    """The key of *environment*, else of the key file in the directory *data*, which *create* makes when it is missing.

    Create only where nothing has been sealed yet: a new key beside an old ledger opens none of its secrets.
    """
    path = data / KEY_FILE
    key = given_key(environment, path)
    if key is None and create:
        write_key(path, random_bytes(KEY_BYTES))
        key = given_key({}, path)
    if key is None:
        raise LedgerError(
            f"the master key {path} is not there, and without it no webhook's secret can be read: "
            f"bring it, name the --data that has it, or set {KEY_VARIABLE}"
        )
    return MasterKey(key)


def given_key(environment: Mapping[str, str], path: Path) -> bytes | None:
    """The key of *environment*, else of the file *path*; None: there is none. LedgerError when it is not one."""
    text = environment.get(KEY_VARIABLE, "").strip()
    if text:
        return _key(text, KEY_VARIABLE)
    content = _read(path)
    return None if content is None else _key(content, str(path))


def _key(text: str, source: str) -> bytes:
    """Never says what it read: it may be most of a key."""
    if _HEX.fullmatch(text):
        return bytes.fromhex(text)
    if _BASE64.fullmatch(text):
        return base64.b64decode(text.replace("-", "+").replace("_", "/").rstrip("=") + "=")
    raise LedgerError(f"{source} is not a master key: it must be {KEY_BYTES} bytes in base64, or 64 hex digits")


def _read(path: Path) -> str | None:
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            content = file.read(1024)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise LedgerError(f"the master key {path} cannot be read: {error.strerror}") from error
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise LedgerError(f"others than its owner have access to the master key {path}: chmod 600 {path}")
    return content.decode("ascii", "replace").strip()


def write_key(path: Path, key: bytes) -> None:
    """Whole or not at all, whatever is killed when; where two write at once, the first one's key is everybody's."""
    try:
        descriptor, temporary = tempfile.mkstemp(prefix=f".{KEY_FILE}-", dir=path.parent)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(base64.b64encode(key) + b"\n")
                file.flush()
                os.fsync(file.fileno())
            try:
                path.hardlink_to(temporary)
            except FileExistsError:
                return
        finally:
            Path(temporary).unlink()
        sync(path.parent)
    except OSError as error:
        raise LedgerError(f"the master key {path} cannot be written: {error.strerror}") from error
