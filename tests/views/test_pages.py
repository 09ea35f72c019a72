"""Questions asked of the history are answered as a look through all deliveries would answer them."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.directory import Directory
from core.history import History
from core.history_entries import count, get, page, standings
from core.history_question import Wanted
from core.history_text import matches_of
from tests.views.asked import MANY_STEPS, QUESTIONS, TEXTS, asked_of, has_text, is_meant
from tests.views.following import follow_in_pieces
from tests.views.ledgers import books_of
from tests.views.plain_fold import plain_fold

LOOKS = st.sampled_from((1, 2, 5, 100_000))
"""How many deliveries one page may look through."""


NARROW = {
    "core.history_table.STRETCH_BITS": 2,
    "core.history_question.STRETCH_BITS": 2,
    "core.history_table.TRIGGER_BIT_MAX": 1,
    "core.history_entries.ARMS_MAX": 2,
    "core.history_question.ARMS_MAX": 2,
}


def followed(store, books):
    store.clear(books.recorder)
    views = store.open(books.recorder)
    follow_in_pieces(books, views, lambda: History(books.reader), [(50, 1, False)])
    return views


def directory_of(books):
    directory = Directory()
    directory.apply(books.reader.landmarks())
    return directory


def meant(books, asked):
    """The numbers that a look through everything finds, oldest first."""
    deliveries = plain_fold(books.reader.after(0))
    return [
        number
        for number, known in sorted(deliveries.items())
        if is_meant(known, deliveries, books.reader.committed_at(number), asked)
    ]


@settings(max_examples=50)
@given(MANY_STEPS, st.lists(QUESTIONS, min_size=30, max_size=30), st.integers(1, 20), st.booleans())
def test_a_page_is_what_was_asked_for(store, steps, questions, limit, oldest_first):
    """Every mix of filters gives the first deliveries it lets through, newest or oldest first, and their number."""
    with books_of(steps) as books:
        views = followed(store, books)
        for asked in [asked_of(books, question) for question in questions]:
            expected = meant(books, asked)[:: 1 if oldest_first else -1]
            wanted = Wanted(**asked)
            found = page(views, books.reader, wanted, limit, oldest_first=oldest_first)
            assert [entry.number for entry in found.entries] == expected[:limit]
            assert count(views, books.reader, wanted) == (len(expected), None)
        views.close()


@settings(max_examples=50)
@given(
    MANY_STEPS, st.lists(QUESTIONS, min_size=30, max_size=30), st.integers(1, 5), LOOKS, st.booleans(), st.booleans()
)
def test_what_may_not_look_far_comes_to_all_in_the_end(
    store, steps, questions, limit, looked_max, oldest_first, is_narrow
):
    """However little is looked through at a time, what begins where the one before ended leaves nothing out; nor with
    short stretches of numbers, bits that triggers share, and few arms."""
    with books_of(steps) as books, pytest.MonkeyPatch.context() as patch:
        patch.setattr("core.history_entries.LOOKED_MAX", looked_max)
        for name, value in NARROW.items() if is_narrow else ():
            patch.setattr(name, value)
        views = followed(store, books)
        for asked in [asked_of(books, question) for question in questions]:
            seen, wanted, looked_to = [], Wanted(**asked), 0
            while looked_to is not None:
                found = page(views, books.reader, wanted, limit, oldest_first=oldest_first)
                seen += [entry.number for entry in found.entries]
                looked_to = found.looked_to
                wanted = Wanted(**asked | {"after" if oldest_first else "before": looked_to or 0})
            assert seen == meant(books, asked)[:: 1 if oldest_first else -1]
            counted, before = count(views, books.reader, Wanted(**asked))
            while before is not None:
                more, before = count(views, books.reader, Wanted(**asked | {"before": before}))
                counted += more
            assert counted == len(seen)
        views.close()


@settings(max_examples=50)
@given(MANY_STEPS, st.lists(st.tuples(QUESTIONS, TEXTS), min_size=10, max_size=10), LOOKS)
def test_a_text_is_found_wherever_it_stands(store, steps, questions, looked_max):
    """Beside any mix of filters, a text finds what has it in one of its places, in any case of letters."""
    with books_of(steps) as books, pytest.MonkeyPatch.context() as patch:
        patch.setattr("core.history_entries.LOOKED_TEXT_MAX", looked_max)
        patch.setattr("core.history_entries.CHUNK", 2)
        views, deliveries = followed(store, books), plain_fold(books.reader.after(0))
        webhooks = directory_of(books).by_number.values()
        for asked, text in [(asked_of(books, question), text) for question, text in questions]:
            expected = [number for number in meant(books, asked) if has_text(deliveries[number], text)][::-1]
            matches, seen, before = matches_of(books.reader, webhooks, text), [], asked.get("before", 1_000_000)
            while before is not None:
                wanted = Wanted(**asked | {"text": text, "before": before})
                found = page(views, books.reader, wanted, 3, matches=matches)
                seen += [entry.number for entry in found.entries]
                before = found.looked_to
            assert seen == expected
        views.close()


def test_times_are_inclusive(store):
    """A delivery whose commit was made at the very millisecond that is asked for is there, from and until."""
    with books_of([("event", 0, 1)] * 3) as books:
        views = followed(store, books)
        numbers = sorted(plain_fold(books.reader.after(0)))
        at = books.reader.committed_at(numbers[1])

        def found(asked):
            return [entry.number for entry in page(views, books.reader, Wanted(**asked), 9, oldest_first=True).entries]

        assert found({"since_ms": at}) == numbers[1:]
        assert found({"since_ms": at + 1}) == numbers[2:]
        assert found({"until_ms": at}) == numbers[:2]
        assert found({"until_ms": at - 1}) == numbers[:1]
        views.close()


def test_what_was_forgotten_is_found_by_the_rest(store):
    """A title that was forgotten with its payload leads nowhere; the event's id still does."""
    with books_of([("event", 0, 1)] * 2) as books:
        views = followed(store, books)

        def found(text):
            return len(page(views, books.reader, Wanted(text=text), 9, matches=matches_of(books.reader, (), text))[0])

        assert (found("NAÏVE.docx"), found("e4")) == (1, 1)
        books.recorder.writing.execute("DELETE FROM bodies")
        assert (found("NAÏVE.docx"), found("e4")) == (0, 1)
        views.close()


def test_one_delivery_by_number(store):
    """A delivery is found by its number; no other number finds one."""
    with books_of([("event", 0, 1)]) as books:
        views = followed(store, books)
        (number,) = plain_fold(books.reader.after(0))
        assert get(views, number).number == number
        assert get(views, number - 1) is None
        views.close()


def test_how_webhooks_fare(store):
    """A webhook's standing is that of its newest delivery, beside the sums of all; a new webhook has none."""
    steps = [("event", 0, 1), ("delivered", 0, 4), ("event", 0, 3), ("failed", 0, 3), ("failed", 1, 5)]
    with books_of(steps) as books:
        views = followed(store, books)
        known = plain_fold(books.reader.after(0))
        found = standings(views, [1, 2, 3, 99])
        assert set(found) == {1, 2}
        newest = max((one for one in known.values() if one["webhook"] == 1), key=lambda one: one["number"])
        assert found[1].number == newest["number"]
        assert (found[1].state, found[1].status) == (newest["state"], newest["status"])
        assert found[1].created_at == newest["created_at"]
        assert {state: count for state, count in found[1].totals.items() if count} == {"delivered": 1, "retrying": 1}
        assert {state: count for state, count in found[2].totals.items() if count} == {"retrying": 1}
        views.close()
