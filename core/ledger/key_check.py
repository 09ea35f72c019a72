"""Whether a master key is the ledger's own: tried on a known value that is sealed under it, before anything is done."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from core.errors import LedgerError
from core.ledger.keys import KEY_FILE, NONCE_BYTES, MasterKey
from core.settings import KEY_VARIABLE

KNOWN = "hookledger"


class Opened(Protocol):
    """A ledger that can be asked; both recorders are."""

    @property
    def path(self) -> Path | str: ...
    @property
    def identity(self) -> bytes: ...
    def rows(self, sql: str) -> list[tuple[Any, ...]]: ...


def check_value(key: MasterKey, identity: bytes, random_bytes: Callable[[int], bytes]) -> bytes:
    """What the ledger of this identity keeps in `key_check`."""
    return key.seal(KNOWN, identity, random_bytes(NONCE_BYTES))


def check_key(ledger: Opened, key: MasterKey) -> bool:
    """LedgerError when *key* is another ledger's. True: it is this one's; False: nothing was ever sealed here, so that
    any key is as good as another.

    A ledger without a check value has the newest secret to try it on.
    """
    checks = ledger.rows("SELECT sealed FROM key_check")
    if checks:
        try_on(checks[0][0], key, ledger.identity, ledger.path)
        return True
    secrets = ledger.rows("SELECT sealed, webhook FROM secrets ORDER BY id DESC LIMIT 1")
    if secrets:
        key.open(*secrets[0])
    return bool(secrets)


def is_sealed(ledger: Opened) -> bool:
    """Whether there is something that only the ledger's own key opens."""
    return ledger.rows("SELECT EXISTS (SELECT 1 FROM key_check) OR EXISTS (SELECT 1 FROM secrets)")[0][0] in (True, 1)


def try_on(check: bytes, key: MasterKey, identity: bytes, ledger: Path | str) -> None:
    """LedgerError when *key* does not open the check value."""
    try:
        opened = key.open(check, identity)
    except LedgerError:
        opened = ""
    if opened != KNOWN:
        raise LedgerError(
            f"{ledger} was sealed with the master key {check[1:5].hex()}, and this one is {key.key_id.hex()}: "
            f"bring back its {KEY_FILE}, or set {KEY_VARIABLE}"
        )
