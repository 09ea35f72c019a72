"""The body a receiver gets, to the byte."""

from __future__ import annotations

import json

import pytest

from core.wire.body import (
    created_on,
    event_head,
    render,
    retry_block,
    target_block,
    webhook_block,
    whole_seconds,
)
from core.wire.docspace_json import encode
from tests.wire.facts import received, webhook

ACTOR = "66faa6e4-f133-11ea-b126-00ffeec8b4ef"
USER_CREATED = (
    b'{"event":{"id":1001,"createOn":"2026-11-23T10:00:00Z","createBy":"66faa6e4-f133-11ea-b126-00ffeec8b4ef",'
    b'"trigger":"user.created","triggerId":1},'
    b'"payload":{"id":"7d2f4c1e-0b7a-4d39-9c55-3a1f0a6c2b11","firstName":"Mike","lastName":"Zanyatski",'
    b'"userName":"mike","status":1,"activationStatus":1,"email":"mike@example.com",'
    b'"lastModified":"2026-11-23T10:00:00Z","tenantId":1,"isActive":true,"createDate":"2026-11-23T10:00:00Z",'
    b'"createdBy":"66faa6e4-f133-11ea-b126-00ffeec8b4ef"},'
    b'"webhook":{"id":7,"name":"demo","url":"https://example.com/hook","triggers":["*"]}}'
)
FILE_UPDATED_RETRIED = (
    b'{"event":{"id":1002,"createOn":"2026-11-23T10:00:00Z","createBy":"7d2f4c1e-0b7a-4d39-9c55-3a1f0a6c2b11",'
    b'"trigger":"file.updated","triggerId":512},'
    b'"payload":{"id":991,"parentId":310,"securityByUsers":{},"folderIdDisplay":310,"rootId":2,'
    b'"title":"report.docx","createBy":"66faa6e4-f133-11ea-b126-00ffeec8b4ef",'
    b'"modifiedBy":"7d2f4c1e-0b7a-4d39-9c55-3a1f0a6c2b11","createOn":"2026-11-20T08:00:00Z",'
    b'"modifiedOn":"2026-11-23T10:00:00Z","rootFolderType":14,'
    b'"rootCreateBy":"66faa6e4-f133-11ea-b126-00ffeec8b4ef","fileEntryType":2},'
    b'"webhook":{"id":7,"name":"demo","url":"https://example.com/hook","triggers":["file.created","file.updated"],'
    b'"target":{"id":991,"type":"file"},"lastFailureOn":"2026-11-23T10:00:01Z",'
    b'"lastFailureContent":"Response status code does not indicate success: 503 (Service Unavailable).",'
    b'"lastSuccessOn":"2026-11-22T09:00:00Z","retryCount":1,"retryOn":"2026-11-23T10:00:02Z"}}'
)
PAYLOADS = [
    b'{"id":"0c6f0d0e-5c56-4d0e-9a41-9d4b8f2a7710","name":"Sales","authenticationType":"ASC",'
    b'"key":"0c6f0d0e-5c56-4d0e-9a41-9d4b8f2a7710"}',
    b'{"id":311,"parentId":310,"securityByUsers":{},"folderIdDisplay":310,"rootId":2,"title":"Drafts",'
    b'"createBy":"66faa6e4-f133-11ea-b126-00ffeec8b4ef","modifiedBy":"66faa6e4-f133-11ea-b126-00ffeec8b4ef",'
    b'"createOn":"2026-11-23T10:00:00Z","modifiedOn":"2026-11-23T10:00:00Z","rootFolderType":14,'
    b'"rootCreateBy":"66faa6e4-f133-11ea-b126-00ffeec8b4ef","fileEntryType":1}',
    b'{"id":310,"parentId":5,"securityByUsers":{},"folderIdDisplay":5,"rootId":5,"title":"Project X",'
    b'"createBy":"66faa6e4-f133-11ea-b126-00ffeec8b4ef","modifiedBy":"66faa6e4-f133-11ea-b126-00ffeec8b4ef",'
    b'"createOn":"2026-11-01T08:00:00Z","modifiedOn":"2026-11-23T10:00:00Z","rootFolderType":20,'
    b'"rootCreateBy":"66faa6e4-f133-11ea-b126-00ffeec8b4ef","fileEntryType":1}',
    b'{"id":3358285,"parentId":6590430,"securityByUsers":{},"folderIdDisplay":6590430,"rootId":18902,'
    b'"title":"321.xlsx","parentShared":true,"createOn":"2026-09-17T10:22:56Z","modifiedOn":"2026-09-17T10:22:56Z",'
    b'"rootFolderType":14,"fileEntryType":2}',
]
DEFAULTS = {
    "mutableId": False,
    "error": None,
    "access": 0,
    "quota": 0.0,
    "sharedBy": "00000000-0000-0000-0000-000000000000",
    "expires": "0001-01-01T00:00:00",
}


def payload_of(body):
    """As a plugin shapes it: the members that are sent, and defaults that are not."""
    return json.loads(body)["payload"] | DEFAULTS


def test_a_first_attempt_is_docspaces():
    """The full body of `user.created` has the reference's bytes."""
    event = received(trigger="user.created", bit=0, actor=ACTOR, target_type="user", targets=("7d2f",))
    body = render(1001, event_head(event), encode(payload_of(USER_CREATED)), webhook_block(webhook()), b"", b"")
    assert body == USER_CREATED


def test_a_retry_of_a_targeted_webhook_is_docspaces():
    """The full body of the first retry of `file.updated` has the reference's bytes."""
    hook = webhook(triggers=("file.created", "file.updated"), target="991")
    event = received()
    retry = retry_block(
        2,
        1795428002400,
        1795428001900,
        "Response status code does not indicate success: 503 (Service Unavailable).",
        1795338000000,
    )
    payload = encode(payload_of(FILE_UPDATED_RETRIED))
    body = render(1002, event_head(event), payload, webhook_block(hook), target_block(hook, event), retry)
    assert body == FILE_UPDATED_RETRIED


@pytest.mark.parametrize("payload", PAYLOADS)
def test_payloads_are_docspaces(payload):
    """The reference's other payloads come out byte-equal, with the defaults around them left out."""
    assert encode(json.loads(payload) | DEFAULTS) == payload


def test_an_event_without_a_time_is_of_its_acceptance():
    """`createOn` is the portal's time, else when we accepted the event, cut to whole seconds."""
    assert created_on(received(time=1795428000999)) == "2026-11-23T10:00:00Z"
    assert created_on(received(time=None, at=1795428005999)) == "2026-11-23T10:00:05Z"


@pytest.mark.parametrize("actor", [None, "00000000-0000-0000-0000-000000000000"])
def test_an_event_of_nobody_names_nobody(actor):
    """`createBy` is left out when there is no actor, or only the empty GUID."""
    assert event_head(received(actor=actor)) == (
        b',"createOn":"2026-11-23T10:00:00Z","trigger":"file.updated","triggerId":512},"payload":'
    )


@pytest.mark.parametrize(("bit", "said"), [(0, 1), (35, 34359738368), (62, 2**62), (None, None)])
def test_a_trigger_is_numbered_by_its_bit(bit, said):
    """`triggerId` is two to the power of the bit, and left out for a trigger without one."""
    head = json.loads(b'{"id":1' + event_head(received(bit=bit)).removesuffix(b',"payload":'))
    assert head.get("triggerId") == said


def test_a_webhook_is_described_in_ascii():
    """What a person typed as name and URL is escaped, and kept even where it reads like a default value."""
    hook = webhook(name='O\'Neil "é"', url="https://example.com/?a=1&b=2", triggers=("a.b",))
    assert webhook_block(hook) == (
        b',"webhook":{"id":7,"name":"O\\u0027Neil \\u0022\\u00E9\\u0022",'
        b'"url":"https://example.com/?a=1\\u0026b=2","triggers":["a.b"]'
    )
    guid = "00000000-0000-0000-0000-000000000000"
    assert b'"name":"%b"' % guid.encode() in webhook_block(webhook(name=guid))


@pytest.mark.parametrize(
    ("target", "targets", "written"),
    [
        (None, (991,), b""),
        ("991", (991,), b',"target":{"id":991,"type":"file"}'),
        ("991", ("991",), b',"target":{"id":"991","type":"file"}'),
        ("sbox-1-é", (5, "sbox-1-é"), b',"target":{"id":"sbox-1-\\u00E9","type":"file"}'),
        ("5", (991,), b',"target":{"id":"5","type":"file"}'),
    ],
)
def test_a_target_has_the_type_of_the_entitys_id(target, targets, written):
    """`target` is there for a webhook that has one, its id a number where the entity's is; as configured otherwise."""
    assert target_block(webhook(target=target), received(targets=targets)) == written


def test_only_a_retry_tells_of_attempts():
    """A first attempt says nothing of retries, whatever is known of earlier deliveries."""
    assert retry_block(1, 1795428000000, 1, "x", 1) == b""


def test_a_retry_leaves_out_what_never_was():
    """A webhook that never succeeded has no `lastSuccessOn`; an empty reason is still a reason."""
    assert retry_block(3, 1795428002000, 1795428001000, "", None) == (
        b',"lastFailureOn":"2026-11-23T10:00:01Z","lastFailureContent":"","retryCount":2,'
        b'"retryOn":"2026-11-23T10:00:02Z"'
    )
    assert retry_block(2, 0, None, None, None) == b',"retryCount":1,"retryOn":"1970-01-01T00:00:00Z"'


@pytest.mark.parametrize(
    ("at_ms", "text"),
    [
        (-1, "1969-12-31T23:59:59Z"),
        (1795428000999, "2026-11-23T10:00:00Z"),
        (-62135600400000, "0001-01-01T00:00:00Z"),
        (253402343999000, "9999-12-31T23:59:59Z"),
        (10**30, "9999-12-31T23:59:59Z"),
    ],
)
def test_any_time_can_be_written(at_ms, text):
    """A portal's time beyond the calendar, which a zone can make, does not stop its event."""
    assert whole_seconds(at_ms) == text
