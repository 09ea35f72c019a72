"""What a record of the deliveries' topic holds: due deliveries of one webhook, with all that a worker needs besides it.

A worker follows the ledger at least to the webhook's version in it. It makes no attempt that might last beyond `until`:
then the outbox may hand the same attempt out once more.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

import msgspec

from core.errors import InvalidInputError, LedgerError
from core.limits import PARCEL_BYTES_MAX, PARCEL_ROWS_MAX
from core.model.portal_event import Received
from core.model.topics import Codec
from delivery.rows import Content, Row

FORM = 1
"""The number of this form. A worker leaves alone what has another, and the outbox hands it out again later."""


class Carried(msgspec.Struct, array_like=True):
    """One delivery: the columns of its row in the outbox, and its portal event as the ledger stores it."""

    number: int
    delivery: bytes
    event: bytes
    version: int
    attempt: int
    due: int
    failed_at: int | None
    failure: str | None
    topic: str
    state: bytes
    payload: bytes


class Parcel(msgspec.Struct, array_like=True):
    """One record's value. Times are milliseconds."""

    form: int
    webhook: int
    webhook_version: int
    until: int
    handed_out: int
    last_success: int | None
    rows: list[Carried]
    ledger: bytes
    """Whose they are: numbers of webhooks and deliveries are the same in others."""

    @property
    def key(self) -> bytes:
        """One webhook is one partition, and so one worker at a time."""
        return b"%d" % self.webhook


class Of(NamedTuple):
    """What a webhook's parcels say of it."""

    version: int
    last_success: int | None


_ENCODER, _DECODER = msgspec.msgpack.Encoder(), msgspec.msgpack.Decoder(Parcel)
_CODEC = Codec()


def packed(
    rows: Sequence[Row], of: Callable[[int], Of], handed_out: int, until: int, ledger: bytes
) -> list[tuple[Parcel, list[Row]]]:
    """Parcels with all *rows*, each of one webhook, and which rows are in which; *of* tells of a webhook by number."""
    of_webhook: dict[int, list[Row]] = {}
    for row in rows:
        of_webhook.setdefault(row.webhook, []).append(row)
    parcels = []
    for webhook, its in of_webhook.items():
        version, last_success = of(webhook)
        for some, carried in _split(its):
            parcels.append((Parcel(FORM, webhook, version, until, handed_out, last_success, carried, ledger), some))
    return parcels


def _split(rows: Iterable[Row]) -> Iterator[tuple[list[Row], list[Carried]]]:
    """In their order, so many at once as one record may hold."""
    some: list[Row] = []
    carried: list[Carried] = []
    size = 0
    for row in rows:
        one = _carried(row)
        more = len(one.state) + len(one.payload)
        if some and (len(some) >= PARCEL_ROWS_MAX or size + more > PARCEL_BYTES_MAX):
            yield some, carried
            some, carried, size = [], [], 0
        some.append(row)
        carried.append(one)
        size += more
    yield some, carried


def _carried(row: Row) -> Carried:
    content = row.content
    assert content is not None
    return Carried(
        row.number,
        row.delivery,
        row.event,
        row.version,
        row.attempt,
        row.due,
        row.failed_at,
        row.failure,
        *_CODEC.encode(content.received),
        content.payload,
    )


def encoded(parcel: Parcel) -> bytes:
    return _ENCODER.encode(parcel)


def decoded(value: bytes | None) -> Parcel:
    """InvalidInputError when it is none, or none of this form."""
    try:
        parcel = _DECODER.decode(value or b"")
    except msgspec.DecodeError as error:
        raise InvalidInputError(f"it holds no deliveries: {error}") from None
    if parcel.form != FORM:
        raise InvalidInputError(f"it has form {parcel.form}, and this worker reads form {FORM}")
    return parcel


def row_of(parcel: Parcel, carried: Carried) -> Row:
    """The delivery as a worker takes it. InvalidInputError when its portal event cannot be read."""
    try:
        received = _CODEC.decode(carried.topic, carried.state)
    except (msgspec.DecodeError, LedgerError) as error:
        raise InvalidInputError(f"its portal event cannot be read: {error}") from None
    if not isinstance(received, Received):
        raise InvalidInputError(f"{carried.topic} is no portal event")
    row = Row(
        carried.number,
        parcel.webhook,
        carried.delivery,
        carried.event,
        carried.version,
        carried.attempt,
        carried.due,
        carried.failed_at,
        carried.failure,
    )
    row.content = Content(received, carried.payload)
    return row
