"""Whatever JSON a portal sends as data, our plugins answer and do not fail."""

from __future__ import annotations

import copy

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from core.trigger import Reading, Unreadable
from plugins import file_entry
from plugins.users import group, user

MEMBERS = sorted({*user.SHAPE._words, *group.SHAPE._words, *file_entry.SHAPE._words, "originalForm", "submittedForm"})


def json_values():
    """Any JSON; numbers beyond 64 bits too, and members as a portal names them."""
    leaves = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
    return st.recursive(
        leaves | st.sampled_from([0, 1, 2, 4, 2**64, "", "admin", "guest"]),
        lambda some: (
            st.lists(some, max_size=3) | st.dictionaries(st.sampled_from(MEMBERS) | st.text(), some, max_size=4)
        ),
        max_leaves=8,
    )


def any_data():
    """Objects of any members, of which some have an id that could be one."""
    likely = st.fixed_dictionaries(
        {}, optional={"id": st.integers(1, 9) | st.text(), "status": st.sampled_from([1, 4])}
    )
    return st.builds(
        lambda wild, tame: wild | tame, st.dictionaries(st.sampled_from(MEMBERS), json_values(), max_size=6), likely
    )


@settings(max_examples=400, deadline=None)
@given(data=any_data(), choice=st.integers(0, 35))
def test_any_data_is_read_or_refused(data, choice, plugins, who_is_who, known, a_portal_event):
    """Any object as data becomes a reading that can be written, or a mistake below data; it is never changed."""
    before = copy.deepcopy(data)
    type = list(plugins.triggers)[choice]
    (outcome,) = plugins.read([a_portal_event(type, data)], who_is_who(known("1", groups=("2",))))
    assert data == before
    if isinstance(outcome, Unreadable):
        assert outcome.path.startswith("data.")
    else:
        assert isinstance(outcome, Reading), outcome
        assert msgspec.json.encode(outcome.payload)
        assert msgspec.msgpack.encode([outcome.target_ids, outcome.readers, outcome.changes])
