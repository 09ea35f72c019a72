"""The master key: where it comes from, how it is kept, and what is sealed under it."""

from __future__ import annotations

import base64
import hashlib
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import LedgerError
from core.ledger.keys import KEY_FILE, KEY_VARIABLE, MasterKey, master_key

ROOT = Path(__file__).parents[2]
RAW = bytes(range(32))
WEBHOOK = bytes(range(16))
NONCE = bytes(range(12))


def drawn(length):
    """The random bytes of a test."""
    return RAW[:length]


def nothing_drawn(length):
    raise AssertionError(f"{length} random bytes were drawn")


@pytest.mark.parametrize(
    "text",
    [
        RAW.hex(),
        RAW.hex().upper(),
        base64.b64encode(RAW).decode(),
        base64.b64encode(RAW).decode().rstrip("="),
        f"  {RAW.hex()}\n",
    ],
)
def test_a_key_of_the_environment(text, tmp_path):
    """Base64 and hex are both a key, and nothing is written when there is one."""
    key = master_key({KEY_VARIABLE: text}, tmp_path, nothing_drawn, create=True)
    assert key.key_id == MasterKey(RAW).key_id
    assert list(tmp_path.iterdir()) == []


def test_a_key_in_base64_for_urls(tmp_path):
    """The alphabet for URLs is as good as the other."""
    raw = bytes([0xFB, 0xFF]) * 16
    for text in (base64.urlsafe_b64encode(raw).decode(), base64.b64encode(raw).decode()):
        assert master_key({KEY_VARIABLE: text}, tmp_path, nothing_drawn, create=False).key_id == MasterKey(raw).key_id


@pytest.mark.parametrize(
    "text", ["short", RAW.hex()[:-1], RAW.hex() + "0", "g" * 64, "€" * 43, base64.b64encode(RAW[:31]).decode()]
)
def test_a_malformed_key_is_refused_and_not_repeated(text, tmp_path):
    """What is no key of 32 bytes is refused in words that say where it came from, and not what it was."""
    with pytest.raises(LedgerError, match=KEY_VARIABLE) as refused:
        master_key({KEY_VARIABLE: text}, tmp_path, drawn, create=True)
    assert text not in str(refused.value)
    (tmp_path / KEY_FILE).write_text(text)
    (tmp_path / KEY_FILE).chmod(0o600)
    with pytest.raises(LedgerError, match=KEY_FILE):
        master_key({}, tmp_path, drawn, create=True)


@pytest.mark.parametrize("environment", [{}, {KEY_VARIABLE: ""}])
def test_a_key_file_is_made_once(environment, tmp_path):
    """Without a key in the environment a file is made, which only its owner can read, and used from then on."""
    made = master_key(environment, tmp_path, drawn, create=True)
    assert made.key_id == MasterKey(RAW).key_id
    path = tmp_path / KEY_FILE
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [entry.name for entry in tmp_path.iterdir()] == [KEY_FILE]
    again = master_key(environment, tmp_path, nothing_drawn, create=True)
    assert again.key_id == made.key_id


def test_a_mark_stands_for_its_data_under_one_key_only():
    """The same data have the same mark, others another; under another key, or without one, nobody finds it."""
    key = MasterKey(RAW)
    assert key.mark(b"a") == MasterKey(RAW).mark(b"a")
    others = [key.mark(b"b"), MasterKey(bytes(32)).mark(b"a"), hashlib.blake2b(b"a", digest_size=16).digest()]
    assert key.mark(b"a") not in [*others, hashlib.blake2b(b"a", digest_size=16, key=RAW).digest()]


def test_a_lost_key_file_is_not_replaced(tmp_path):
    """Where a ledger has sealed secrets, a missing key is told, and no new one takes its place."""
    with pytest.raises(LedgerError, match="is not there"):
        master_key({}, tmp_path, nothing_drawn, create=False)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o660, 0o644])
def test_a_key_file_that_others_can_open_is_refused(mode, tmp_path):
    """A key that is not its owner's alone is refused, with what to type."""
    master_key({}, tmp_path, drawn, create=True)
    (tmp_path / KEY_FILE).chmod(mode)
    with pytest.raises(LedgerError, match="chmod 600"):
        master_key({}, tmp_path, drawn, create=True)


def test_a_directory_that_cannot_be_written_is_told(tmp_path):
    """A key that cannot be kept is an error of the ledger's, and names the file."""
    with pytest.raises(LedgerError, match=KEY_FILE):
        master_key({}, tmp_path / "missing", drawn, create=True)


def test_two_that_make_a_key_at_once_share_the_first(tmp_path):
    """Whoever comes second uses the key that is there, and nothing else is left in the directory."""
    barrier = Barrier(8)

    def make(number):
        def draw(length):
            barrier.wait(timeout=10)
            return bytes([number]) * length

        return master_key({}, tmp_path, draw, create=True).key_id

    with ThreadPoolExecutor(8) as pool:
        ids = set(pool.map(make, range(8)))
    assert len(ids) == 1
    assert [entry.name for entry in tmp_path.iterdir()] == [KEY_FILE]


@pytest.mark.parametrize("moment", ["os.fsync", "os.link", "os.unlink"])
def test_a_key_file_is_whole_or_not_there(moment, tmp_path):
    """A process that is killed while it makes the key leaves a whole key or none, and the next start has one."""
    killed = (
        f"import os, signal, sys; from pathlib import Path; from core.ledger.keys import master_key\n"
        f"{moment} = lambda *args, **more: os.kill(os.getpid(), signal.SIGKILL)\n"
        "master_key({}, Path(sys.argv[1]), os.urandom, create=True)"
    )
    done = subprocess.run([sys.executable, "-c", killed, str(tmp_path)], cwd=ROOT, timeout=60, check=False)
    assert done.returncode == -9
    left = tmp_path / KEY_FILE
    before = left.read_text() if left.exists() else None
    key = master_key({}, tmp_path, drawn, create=True)
    assert before is None or MasterKey(base64.b64decode(before)).key_id == key.key_id


@given(st.text(st.characters(codec="utf-8"), max_size=80), st.binary(min_size=16, max_size=16))
def test_what_is_sealed_can_be_opened(secret, webhook):
    """A secret comes back as it was, and does not stand in what is stored."""
    key = MasterKey(RAW)
    sealed = key.seal(secret, webhook, NONCE)
    assert key.open(sealed, webhook) == secret
    assert sealed[:17] == b"\x01" + key.key_id + NONCE
    assert len(sealed) == 17 + len(secret.encode()) + 16


def test_a_sealed_secret_names_its_key():
    """Under another key it is not broken but another key's, and both are named."""
    sealed = MasterKey(RAW).seal("S3cret-key", WEBHOOK, NONCE)
    other = MasterKey(bytes(32))
    with pytest.raises(LedgerError, match=f"{MasterKey(RAW).key_id.hex()}.*{other.key_id.hex()}"):
        other.open(sealed, WEBHOOK)


def test_a_sealed_secret_belongs_to_its_webhook():
    """Put in another webhook's place, it cannot be opened."""
    key = MasterKey(RAW)
    with pytest.raises(LedgerError, match="was changed"):
        key.open(key.seal("S3cret-key", WEBHOOK, NONCE), bytes(16))


@given(st.data())
def test_a_changed_seal_is_refused(data):
    """No byte of what is stored can be changed, and none taken away, without a refusal."""
    key = MasterKey(RAW)
    sealed = key.seal("S3cret-key-0123456789", WEBHOOK, NONCE)
    at = data.draw(st.integers(0, len(sealed) - 1))
    flip = data.draw(st.integers(1, 255))
    changed = sealed[:at] + bytes([sealed[at] ^ flip]) + sealed[at + 1 :]
    for broken in (changed, sealed[:at]):
        with pytest.raises(LedgerError):
            key.open(broken, WEBHOOK)


def test_a_key_does_not_show_itself():
    """Printed, a key is its id."""
    shown = repr(MasterKey(RAW))
    assert shown == f"MasterKey(id {MasterKey(RAW).key_id.hex()})"


@pytest.mark.parametrize("length", [0, 16, 31, 33])
def test_a_key_has_32_bytes(length):
    """Another length is a mistake of the caller."""
    with pytest.raises(ValueError, match="32"):
        MasterKey(bytes(length))


def test_a_nonce_has_12_bytes():
    """Another length is a mistake of the caller."""
    with pytest.raises(ValueError, match="12"):
        MasterKey(RAW).seal("S3cret-key", WEBHOOK, bytes(11))
