"""Which deliveries a question means, by its rules in plain loops over what the plain fold knows."""

from __future__ import annotations

import json

from hypothesis import strategies as st

from core.model import portal_event
from tests.builders import NOW
from tests.views.ledgers import STEP, TITLES

STATES = ("pending", "retrying", "delivered", "failed", "cancelled")
STATUSES = ("none", "2xx", "3xx", "4xx", "5xx", "200", "404", "500", "503")
TIMES = st.integers(-2, 42).map(lambda commit: NOW + commit * 1_000)
FILTERS = {
    "webhook": st.integers(1, 4),
    "tenant": st.sampled_from(("1", "2", "3")),
    "trigger": st.sampled_from(("file.created", "room.created", "kite.flown")),
    "states": st.lists(st.sampled_from(STATES), min_size=1, max_size=3, unique=True).map(tuple),
    "statuses": st.lists(st.sampled_from(STATUSES), min_size=1, max_size=3, unique=True).map(tuple),
    "target": st.sampled_from(("7", "991", "naïve", "sbox-7-|x", "-0")),
    "events": st.lists(st.integers(0, 5), max_size=3, unique=True).map(tuple),
    "since_ms": TIMES,
    "until_ms": TIMES,
    "after": st.integers(0, 120),
    "before": st.integers(0, 120),
    "is_newest": st.booleans(),
}
OFTEN = ("webhook", "tenant", "trigger", "states", "statuses")
"""What indexes lead to, and is most intricate."""
QUESTIONS = st.lists(st.sampled_from((*FILTERS, *OFTEN, *OFTEN)), max_size=3, unique=True).flatmap(
    lambda names: st.fixed_dictionaries({name: FILTERS[name] for name in names})
)
"""Few filters at once: what many together let through is nothing."""
MANY_STEPS = st.lists(STEP, min_size=20, max_size=40)
TEXTS = st.sampled_from(
    ("e4", "E4", "7", "naïve", "NAÏVE", "strasse", "& more", "deep", "503, and", "ANY", "http://h", "x")
)


def asked_of(books, asked):
    """The question with its events by their positions, and not counted from the first; one may be no event."""
    if asked.get("events") is None:
        return asked
    positions = [one.position for one in books.reader.after(0) if isinstance(one.event, portal_event.Received)]
    return asked | {"events": tuple([*positions, 1, 2, 3, 4, 5, 6][index] for index in asked["events"])}


def is_meant(known, deliveries, created_in, asked):
    """Whether a delivery of the plain fold is meant; *created_in* is when the commit of its creation was made."""
    return all(
        (
            asked.get("tenant") in (None, known["tenant"]),
            asked.get("webhook") in (None, known["webhook"]),
            asked.get("trigger") in (None, known["trigger"]),
            not asked.get("states") or known["state"] in asked["states"],
            not asked.get("statuses") or any(is_so(known["status"], status) for status in asked["statuses"]),
            asked.get("target") is None or asked["target"] in map(str, known["targets"]),
            asked.get("events") is None or known["event"] in asked["events"],
            asked.get("since_ms") is None or created_in >= asked["since_ms"],
            asked.get("until_ms") is None or created_in <= asked["until_ms"],
            known["number"] > asked.get("after", 0),
            known["number"] < asked.get("before", 1_000_000),
            not asked.get("is_newest") or not has_redelivery(known, deliveries),
        )
    )


def is_so(status, asked):
    if status is None or asked == "none":
        return status is None and asked == "none"
    return str(status)[0] + "xx" == asked or str(status) == asked


def has_redelivery(known, deliveries):
    return any(one["cause"] is not None and one["cause"].of == known["number"] for one in deliveries.values())


def has_text(known, text):
    """Webhooks are all called "any", and lead to http://h/."""
    said = [known["event_id"], title_of(known), "any", "http://h/", *(request[4] for request in known["requests"])]
    return text in map(str, known["targets"]) or any(text.casefold() in one.casefold() for one in said)


def title_of(known):
    title = TITLES[int(known["event_id"][1:]) % len(TITLES)]
    return json.loads(json.dumps(title))
