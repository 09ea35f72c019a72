"""Of two records of the same handing out a worker attempts one; after its time a new one is a new attempt's chance."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from core.limits import CARRIED_MARK_S
from delivery.station.taken import AFTER_MS, Memory, key_of

MARK_MS = round(CARRIED_MARK_S * 1_000)


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 40_000), st.booleans()), max_size=60))
def test_it_knows_as_a_plain_list_does(steps):
    """Deliveries handed out again and again, some of them given up, while time goes on."""
    memory, now, plain = Memory(), 0, {}
    for delivery, wait, gives_up in steps:
        now += wait
        memory.prune(now)
        key, handed_out = key_of(delivery, 1), now - wait // 4
        is_second = key in plain and handed_out < plain[key]
        assert memory.is_known(key, handed_out) == is_second
        if is_second:
            continue
        memory.add([key], handed_out + MARK_MS)
        plain[key] = handed_out + MARK_MS
        if gives_up:
            memory.forget(key)
            del plain[key]


def test_what_is_over_takes_no_memory():
    """However long a worker takes deliveries."""
    memory = Memory()
    for n in range(1_000):
        memory.prune(n * 1_000)
        memory.add([key_of(n, 1), key_of(n, 2)], n * 1_000 + MARK_MS)
    assert len(memory) <= 2 * ((MARK_MS + AFTER_MS) // 1_000 + 2)


def test_each_attempt_has_a_key_of_its_own():
    """No two attempts of any deliveries are taken for one."""
    assert len({key_of(delivery, attempt) for delivery in range(100) for attempt in range(1, 256)}) == 100 * 255
