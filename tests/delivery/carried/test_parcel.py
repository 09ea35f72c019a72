"""What a record of the deliveries' topic holds: all of a row that a worker needs, and never more than fits."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import InvalidInputError
from core.limits import EVENT_BYTES_MAX, EVENT_READERS_MAX, PARCEL_BYTES_MAX, PARCEL_ROWS_MAX
from delivery.parcel import FORM, Of, decoded, encoded, packed, row_of
from tests.delivery.carried.rows import a_row, seen

RECORD_MAX = 1_000_000
"""What a topic takes by default, but for the record's own head."""


READERS = st.sampled_from([0, 0, EVENT_READERS_MAX])
rows_made = st.lists(
    st.tuples(st.integers(1, 4), st.sampled_from([0, 100, 100_000, EVENT_BYTES_MAX]), st.integers(1, 9), READERS),
    max_size=50,
)


@given(rows_made)
def test_what_is_packed_is_unpacked(made):
    """Every row comes out once, as it was, in the order of its webhook, in records that fit."""
    rows = [a_row(number, *said) for number, said in enumerate(made, 1)]
    parcels = packed(rows, lambda webhook: Of(webhook * 10, webhook or None), 1_000, 61_000, b"ledger")
    out = {}
    for parcel, some in parcels:
        value = encoded(parcel)
        assert len(value) < RECORD_MAX
        again = decoded(value)
        assert again == parcel
        assert (again.webhook_version, again.last_success) == (again.webhook * 10, again.webhook)
        assert (again.handed_out, again.until) == (1_000, 61_000)
        assert len(some) <= PARCEL_ROWS_MAX
        assert len(some) == 1 or sum(row.size for row in some) <= PARCEL_BYTES_MAX
        came = [row_of(again, carried) for carried in again.rows]
        assert [row.number for row in came] == [row.number for row in some]
        out.setdefault(again.key, []).extend(came)
    assert sum(map(len, out.values())) == len(rows)
    for key, came in out.items():
        sent = [row for row in rows if b"%d" % row.webhook == key]
        assert [seen(row) for row in came] == [seen(row) for row in sent]


@pytest.mark.parametrize("value", [None, b"", b"{}", b"\xc1", b"\x93\x01\x02\x03"])
def test_what_is_none_says_so(value):
    """A tombstone, another program's record, half a record."""
    with pytest.raises(InvalidInputError, match="holds no deliveries"):
        decoded(value)


def test_another_form_is_left_alone():
    """A newer outbox writes what an older worker does not know."""
    ((parcel, _),) = packed([a_row(1, 1)], lambda _: Of(1, None), 0, 1, b"ledger")
    parcel.form = FORM + 1
    with pytest.raises(InvalidInputError, match=f"form {FORM + 1}"):
        decoded(encoded(parcel))


@pytest.mark.parametrize("topic", ["Delivery.Created/1", "Kite.Flown/1", ""])
def test_what_is_no_portal_event_says_so(topic):
    """One that this version does not know, or that is something else."""
    ((parcel, _),) = packed([a_row(1, 1)], lambda _: Of(1, None), 0, 1, b"ledger")
    parcel.rows[0].topic = topic
    with pytest.raises(InvalidInputError, match="portal event"):
        row_of(parcel, parcel.rows[0])
