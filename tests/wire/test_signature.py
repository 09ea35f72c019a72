"""Signatures against known vectors and a plain HMAC, and which secrets may make them."""

from __future__ import annotations

import base64
import hashlib
import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import InvalidInputError
from core.wire.signature import Signer, check, docspace_key, generate, standard_key, verifier

BODY = (
    b'{"event":{"id":1001,"createOn":"2026-11-23T10:00:00Z","createBy":"66faa6e4-f133-11ea-b126-00ffeec8b4ef",'
    b'"trigger":"user.created","triggerId":1},"payload":{"id":"7d2f4c1e-0b7a-4d39-9c55-3a1f0a6c2b11",'
    b'"firstName":"Jos\\u00E9","lastName":"O\\u0027Neil","userName":"jose","status":1,"email":"jose@example.com"},'
    b'"webhook":{"id":7,"name":"demo","url":"https://example.com/hook","triggers":["*"]}}'
)
STANDARD_SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


def test_docspaces_vector():
    """The signature of the reference's 388 bytes is the reference's, in upper case."""
    assert len(BODY) == 388
    assert Signer("S3cret-key-0123456789").docspace(BODY) == (
        "sha256=3D0A8115813154D63A54A9BD9E64A482A3A9C0A965CFD7B2AC1F881A28036DF1"
    )


def test_standard_webhooks_vector():
    """The signature of Standard Webhooks' own example is the one all its libraries make."""
    signature = Signer(STANDARD_SECRET).standard("msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}')
    assert signature == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


@given(st.text(st.characters(codec="utf-8"), min_size=1, max_size=200), st.binary(max_size=300), st.integers(0, 2**40))
def test_prepared_keys_sign_like_plain_ones(secret, body, timestamp):
    """For any secret, also one longer than a hash block, both signatures are those of a plain HMAC."""
    signer = Signer(secret)
    plain = hmac.new(docspace_key(secret), body, hashlib.sha256).hexdigest()
    assert signer.docspace(body) == "sha256=" + plain.upper()
    plain = hmac.new(standard_key(secret), b"id.%d.%b" % (timestamp, body), hashlib.sha256).digest()
    assert signer.standard("id", timestamp, body) == "v1," + base64.b64encode(plain).decode()
    assert signer.docspace(body) == signer.docspace(body)


@pytest.mark.parametrize(
    ("secret", "docspace", "standard"),
    [
        ("plain-secret", b"plain-secret", b"plain-secret"),
        ("whsec_QUJDREVGR0hJSktMTU5PUA==", b"whsec_QUJDREVGR0hJSktMTU5PUA==", b"ABCDEFGHIJKLMNOP"),
        ("whsec_QUJDREVGR0hJSktMTU5PUA", b"whsec_QUJDREVGR0hJSktMTU5PUA", b"ABCDEFGHIJKLMNOP"),
        ("QUJDREVGR0hJSktMTU5PUA==", b"QUJDREVGR0hJSktMTU5PUA==", b"QUJDREVGR0hJSktMTU5PUA=="),
        ("whsec_not_base64", b"whsec_not_base64", b"whsec_not_base64"),
        ("whsec_", b"whsec_", b"whsec_"),
        ("whsec_A", b"whsec_A", b"whsec_A"),
        ("é-secret", "é-secret".encode(), "é-secret".encode()),
    ],
)
def test_each_form_has_its_own_key(secret, docspace, standard):
    """DocSpace's key is the secret as typed; Standard Webhooks' is what a `whsec_` secret holds, where it holds any."""
    assert docspace_key(secret) == docspace
    assert standard_key(secret) == standard


@pytest.mark.parametrize("secret", ["plain-secret", STANDARD_SECRET, STANDARD_SECRET + "QQ", "whsec_not_base64"])
def test_a_verifier_has_the_same_key(secret):
    """The string for verifiers is a `whsec_` string, and its key is the one we sign with."""
    assert verifier(secret).startswith("whsec_")
    assert base64.b64decode(verifier(secret).removeprefix("whsec_"), validate=True) == standard_key(secret)
    assert standard_key(verifier(secret)) == standard_key(secret)


@given(st.binary(min_size=24, max_size=32))
def test_a_made_secret_may_be_used(random_bytes):
    """What we make passes our own check, holds what it was made from, and is its own verifier."""
    secret = generate(random_bytes)
    check(secret)
    assert standard_key(secret) == random_bytes
    assert verifier(secret) == secret


@pytest.mark.parametrize("length", [0, 23, 33])
def test_a_secret_is_not_made_from_too_little_or_too_much(length):
    """Fewer than 24 random bytes, or more than 32, are a mistake of the caller."""
    with pytest.raises(ValueError, match="random bytes"):
        generate(bytes(length))


@pytest.mark.parametrize("secret", ["12345678", "!~abcdefg", "x" * 75, STANDARD_SECRET, "whsec_" + "QUJD" * 6])
def test_a_good_secret_passes(secret):
    """8 to 75 printable characters are a secret, and so is a `whsec_` string with a long enough key."""
    check(secret)


@pytest.mark.parametrize(
    ("secret", "reason", "limit"),
    [
        ("1234567", "needs 8", "SECRET_CHARS_MIN"),
        ("x" * 76, "more than 75", "SECRET_CHARS_MAX"),
        ("with space", "printable ASCII", None),
        ("line\nbreak", "printable ASCII", None),
        ("secrét-key", "printable ASCII", None),
        ("whsec_not_base64-at-all", "base64", None),
        ("whsec_QUJD_EVGR0hJSktMTU5PUFFSU1Q", "base64", None),
        ("whsec_QUJDREVGR0hJSktMTU5PUFFSU1RVV===", "base64", None),
        ("whsec_QUJDREVGR0hJSktMTU5P", "has 15 bytes", "KEY_BYTES_MIN"),
    ],
)
def test_a_bad_secret_is_refused_in_words(secret, reason, limit):
    """What cannot be a secret is refused with the reason, and never repeated in it."""
    with pytest.raises(InvalidInputError, match=reason) as refused:
        check(secret)
    assert refused.value.limit == limit
    assert secret not in str(refused.value)
