"""The story of one delivery is told from the ledger."""

from __future__ import annotations

import pytest

from core.errors import NotFoundError
from core.ledger.unit import Body
from core.model import delivery, portal_event
from core.story import story
from tests.builders import NOW
from tests.views.ledgers import books_of, payload_of
from tests.views.plain_fold import plain_fold

STEPS = [("event", 0, 2), ("event", 0, 1), ("failed", 0, 6), ("event", 1, 2), ("delivered", 0, 0), ("late", 0, 0)]


def test_a_story_has_all_that_was_recorded_of_one_delivery():
    """The portal event with its bytes, then each event of the delivery's stream with its position and commit time."""
    with books_of(STEPS) as books:
        number = min(plain_fold(books.reader.after(0)))
        told = story(books.reader, number)
        kinds = [type(step.event) for step in told.steps]
        assert kinds == [delivery.Created, delivery.AttemptFailed, delivery.Delivered, delivery.LateAttempt]
        assert [step.position for step in told.steps] == [
            recorded.position for recorded in books.reader.stream(told.delivery)
        ]
        # Three commits for the webhooks, then one for each step.
        assert [step.committed_at - NOW for step in told.steps] == [3_000, 5_000, 7_000, 8_000]
        assert isinstance(told.received.event, portal_event.Received)
        assert told.received.position == number - 1
        assert told.received.body == Body(0, b"salt" * 4, b"sent", payload_of(told.received.event))
        assert [step.body for step in told.steps] == [None] * 4


def test_a_redelivery_tells_of_the_old_event():
    """A redelivery is a story of its own, of the event that the first delivery was of."""
    with books_of([("event", 0, 1), ("event", 0, 1), ("redelivery", 0, 0)]) as books:
        first, _, again = sorted(plain_fold(books.reader.after(0)))
        told = story(books.reader, again)
        assert told.received == story(books.reader, first).received
        assert told.steps[0].event.cause == delivery.Redelivery(first, "u1")
        assert told.delivery != story(books.reader, first).delivery


def test_no_other_number_has_a_story():
    """A number that is no delivery's, although something stands there, or beyond the end, has no story."""
    with books_of([("event", 0, 1)]) as books:
        for number in (1, 4, 99):
            with pytest.raises(NotFoundError, match=f"no delivery {number}"):
                story(books.reader, number)
