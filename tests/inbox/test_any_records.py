"""Any records, any splits, any deaths of inboxes: the ledger has what is good once, and the dead have the others."""

from __future__ import annotations

import asyncio
import json
import tempfile
from collections import Counter
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.inbox.broker import DEAD, TOPIC
from tests.inbox.conftest import Post, event, plain

CE = [("ce_specversion", b"1.0"), ("ce_source", b"/portals/1"), ("ce_type", b"file.created")]


CLOUD = ("content-type", b"application/cloudevents+json")


def several(*ids):
    return json.dumps([event(id) for id in ids]).encode()


def cloud(id):
    return {"specversion": "1.0", "id": id, "source": "/portals/1", "type": "file.created", "data": {"id": 1}}


KINDS = {
    "plain": lambda id: (plain(id), [], [id], False),
    "several": lambda id: (several(f"{id}a", f"{id}b"), [], [f"{id}a", f"{id}b"], False),
    "none": lambda _: (b"[]", [], [], False),
    "cloud": lambda id: (json.dumps(cloud(id)).encode(), [CLOUD], [id], False),
    "binary": lambda id: (b'{"id": 1}', [*CE, ("ce_id", id.encode())], [id], False),
    "unknown": lambda id: (plain(id, type="kite.flown"), [], [id], False),
    "person": lambda id: (plain(id, type="user.created", data={"id": id}), [], [id], False),
    "no JSON": lambda id: (b"{" + id.encode(), [], [], True),
    "null": lambda _: (None, [], [], True),
    "half": lambda id: (json.dumps([event(id), {"id": 5}, event(f"{id}b")]).encode(), [], [id, f"{id}b"], True),
    "unreadable": lambda id: (plain(id, data={"id": []}), [], [], True),
    "binary, not whole": lambda id: (b"{}", [("ce_id", id.encode())], [], True),
}  # fmt: skip
"""By the rules of portal-event.md: the value, the headers, which events it has, and whether it is dead."""


@given(
    st.lists(st.tuples(st.sampled_from(sorted(KINDS)), st.integers(0, 2)), min_size=1, max_size=25),
    st.lists(st.tuples(st.integers(1, 8), st.booleans()), min_size=1, max_size=3),
)
@settings(max_examples=40, deadline=None)
def test_nothing_is_lost_and_nothing_is_there_twice(kinds, lives):
    """Each life of an inbox takes so many records at once, and commits what it did or dies before it can; the last one
    comes to the end. Each partition's events stand in the ledger in its order."""
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(lived(Path(folder), kinds, lives))


async def lived(folder, kinds, lives):
    post = Post(folder)
    await post.office.start()
    good: dict[int, list[str]] = {0: [], 1: [], 2: []}
    dead: set[tuple[bytes, bytes]] = set()
    for number, (kind, partition) in enumerate(kinds):
        value, headers, ids, is_dead = KINDS[kind](f"e{number}-")
        _, offset = post.broker.put(value, key=b"k", headers=headers, partition=partition)
        good[partition] += ids
        if is_dead:
            dead.add((str(partition).encode(), str(offset).encode()))
    for records_max, commits in lives:
        inbox = post.open(records_max=records_max)
        if not commits:
            post.reading.refuses = "it died"
        await post.until(lambda inbox=inbox: inbox.records or not post.unread())
        await inbox.stop()
    post.open()
    await post.done()
    received = [(event.source[2], event.id) for event in post.received()]
    for partition, ids in good.items():
        assert [id for of, id in received if of == partition] == ids
    written = Counter(
        (dict(one.headers)["hookledger-partition"], dict(one.headers)["hookledger-offset"]) for one in post.broker.dead
    )
    # Who dies between the letter and the commit writes it again.
    assert set(written) == dead
    assert all(count <= 1 + sum(not commits for _, commits in lives) for count in written.values())
    ends = {place: len(log) for place, log in post.broker.logs.items() if place.topic == TOPIC}
    assert {place: offset for place, offset in post.broker.committed.items() if place.topic != DEAD} == ends
    await post.close()
