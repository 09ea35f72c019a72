"""What may be asked of the history, and how it is put in SQL, so that an index answers it, or a bounded look; pure.

An answer is put together from arms. Each arm is a run of deliveries in the order of their numbers that an index leads
to: those of one webhook, or those that went one way. What no index leads to is a condition on what the arms give; then
only so many of them are looked through at a time, and whoever asks is told where that ended.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import msgspec

from core.errors import InvalidInputError
from core.history_table import STATES, STRETCH_BITS, TROUBLE, WENT_WELL, outcome_of, trigger_bit
from core.model.delivery import State

ARMS_MAX = 250
"""SQLite puts at most 500 together."""
NUMBER_MAX = 2**62
"""Beyond every delivery's number."""

Values = tuple[Any, ...]


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """Which deliveries are asked for; what is not said does not matter.

    `statuses`: of the last attempt that counted, each `404`, `4xx` or `none`. `target`: the id of an entity. `events`:
    portal events by number. `since_ms` and `until_ms`, both inclusive, are about the commits that created them:
    numbers ascend with commits. `after` and `before`: numbers, exclusive. `is_newest`: nobody had it redelivered.
    `text`: as core/history_text.py understands it.
    """

    tenant: str | None = None
    webhook: int | None = None
    trigger: str | None = None
    states: tuple[State, ...] = ()
    statuses: tuple[str, ...] = ()
    target: str | None = None
    events: tuple[int, ...] | None = None
    since_ms: int | None = None
    until_ms: int | None = None
    after: int = 0
    before: int = NUMBER_MAX
    is_newest: bool = False
    text: str | None = None


class Known(NamedTuple):
    """What the small tables know of a question. `webhooks`: those it can be about, with their numbers of deliveries in
    each state; None: too many. `trigger`: the id of its trigger; None: none was asked for, or no delivery has it.
    `events`: of each of its portal events, number and how many deliveries it caused."""

    webhooks: Sequence[tuple[int, ...]] | None = None
    trigger: int | None = None
    events: Sequence[tuple[int, int]] = ()


class Condition(NamedTuple):
    """A piece of SQL, and what is bound to it."""

    sql: str
    values: Values = ()


class Arm(NamedTuple):
    """A run of deliveries, and by which index it is read."""

    read_by: str
    condition: Condition


class Plan(NamedTuple):
    """How a question is answered: `arms` have no delivery in common, `conditions` hold of what is wanted of them."""

    arms: Sequence[Arm]
    conditions: Sequence[Condition]
    trigger: int | None

    def numbers(self, low: int, high: int, limit: int, *, oldest_first: bool) -> Condition:
        """SELECTs the first *limit* numbers of each arm that are wanted, of those from *low* to *high*, inclusive."""
        return self._select(self.conditions, low, high, (limit, 0), oldest_first=oldest_first)

    def horizons(self, low: int, high: int, looked_max: int, *, oldest_first: bool) -> Condition:
        """SELECTs of each arm the number that comes after its share of *looked_max*; nothing where it ends before."""
        share = max(looked_max // len(self.arms), 1)
        return self._select((), low, high, (1, share), oldest_first=oldest_first)

    def _select(
        self, conditions: Sequence[Condition], low: int, high: int, limit: tuple[int, int], *, oldest_first: bool
    ) -> Condition:
        order = "ASC" if oldest_first else "DESC"
        source, by = "", ""
        within = Condition("h.number BETWEEN ? AND ?", (low, high))
        if self.trigger is not None:
            # Only stretches in which the trigger occurs are looked through.
            first, size = f"(s.stretch<<{STRETCH_BITS})", 1 << STRETCH_BITS
            source, by = "history_stretches_2 s CROSS JOIN ", f"s.stretch {order}, "
            within = Condition(
                f"s.stretch BETWEEN ? AND ? AND s.triggers&?<>0"
                f" AND h.number BETWEEN max({first}, ?) AND min({first}+{size - 1}, ?)",
                (low >> STRETCH_BITS, high >> STRETCH_BITS, trigger_bit(self.trigger), low, high),
            )
        selects: list[str] = []
        values: list[Any] = []
        for arm in self.arms:
            where = (within, arm.condition, *conditions)
            selects.append(
                f"SELECT * FROM (SELECT h.number FROM {source}history_2 h {arm.read_by}"
                f" WHERE {' AND '.join(condition.sql for condition in where)}"
                f" ORDER BY {by}h.number {order} LIMIT ? OFFSET ?) AS arm"
            )
            values += [value for condition in where for value in condition.values]
            values += limit
        return Condition(" UNION ALL ".join(selects), tuple(values))


def plan(wanted: Wanted, known: Known) -> Plan:
    """How *wanted* is asked for."""
    if wanted.trigger is not None and known.trigger is None:
        return Plan((), (), None)
    outcomes = _outcomes(wanted)
    arms, served = _arms(wanted, known, outcomes)
    conditions = [condition for name, condition in _conditions(wanted, known, outcomes).items() if name not in served]
    return Plan(arms, conditions, known.trigger)


def _arms(wanted: Wanted, known: Known, outcomes: Sequence[int] | None) -> tuple[list[Arm], set[str]]:
    """The arms, and the names of the conditions that hold of all they give."""
    if wanted.events is not None:
        return [arm for number, count in known.events for arm in _of_event(number, count)], set()
    served = {"webhook", "tenant"}
    if outcomes is None or WENT_WELL in outcomes:
        if known.webhooks is None:
            return [Arm("NOT INDEXED", ALL)], set()
        return [_of_webhook(webhook) for webhook, *_ in known.webhooks], served
    if known.webhooks is not None:
        arms = [
            _trouble_of(webhook, outcome)
            for webhook, *counts in known.webhooks
            for outcome in outcomes
            if counts[outcome // 10]
        ]
        if len(arms) <= ARMS_MAX:
            return arms, served | {"outcome"}
    return [_trouble(outcome) for outcome in outcomes], {"outcome"}


ALL = Condition("1=1")
NONE = Condition("1=0")


def _of_event(number: int, count: int) -> tuple[Arm, Arm]:
    """The deliveries an event caused, which were recorded with it, and what was redelivered of them."""
    first = "SELECT number FROM history_2 WHERE number>? ORDER BY number LIMIT ?"
    again = "SELECT number FROM history_redeliveries_2 WHERE event=?"
    return (
        Arm("", Condition(f"h.number IN ({first})", (number, count))),
        Arm("", Condition(f"h.number IN ({again})", (number,))),
    )


def _of_webhook(webhook: int) -> Arm:
    return Arm("INDEXED BY history_2_webhook", Condition("h.webhook=?", (webhook,)))


def _trouble_of(webhook: int, outcome: int) -> Arm:
    condition = Condition(f"h.webhook=? AND h.outcome=? AND h.{TROUBLE}", (webhook, outcome))
    return Arm("INDEXED BY history_2_webhook_trouble", condition)


def _trouble(outcome: int) -> Arm:
    return Arm("INDEXED BY history_2_trouble", Condition(f"h.outcome=? AND h.{TROUBLE}", (outcome,)))


def _conditions(wanted: Wanted, known: Known, outcomes: Sequence[int] | None) -> dict[str, Condition]:
    found: dict[str, Condition] = {}
    if wanted.webhook is not None:
        found["webhook"] = Condition("h.webhook=?", (wanted.webhook,))
    if wanted.tenant is not None:
        of_tenant = "SELECT webhook FROM history_webhooks_2 WHERE tenant=?"
        found["tenant"] = Condition(f"h.webhook IN ({of_tenant})", (wanted.tenant,))
    if known.trigger is not None:
        found["trigger"] = Condition("h.trigger=?", (known.trigger,))
    if outcomes is not None:
        found["outcome"] = Condition(f"h.outcome IN ({','.join(map(str, outcomes))})") if outcomes else NONE
    classes, codes = classes_and_codes(wanted.statuses)
    if codes:
        whole = f"h.outcome%10 IN ({','.join(map(str, sorted(classes)))}) OR " if classes else ""
        found["status"] = Condition(f"({whole}h.status IN ({_marks(codes)}))", tuple(codes))
    if wanted.target is not None:
        # They are there as they were packed; what else looks like it is sorted out later.
        ids = [pack(id) for id in ids_of(wanted.target)]
        found["target"] = Condition(f"({' OR '.join(['instr(h.details, ?)>0'] * len(ids))})", tuple(ids))
    if wanted.is_newest:
        again = "SELECT 1 FROM history_redeliveries_2 r WHERE r.of=h.number"
        found["newest"] = Condition(f"NOT EXISTS ({again})")
    return found


def _outcomes(wanted: Wanted) -> list[int] | None:
    """All outcomes that are wanted; None: any."""
    if not wanted.states and not wanted.statuses:
        return None
    classes, codes = classes_and_codes(wanted.statuses)
    classes |= {outcome_of(0, code) for code in codes}
    return [
        outcome
        for outcome in OUTCOMES
        if (not wanted.states or STATES[outcome // 10] in wanted.states)
        and (not wanted.statuses or outcome % 10 in classes)
    ]


OUTCOMES = (
    outcome_of(STATES.index("pending"), None),
    WENT_WELL,
    *(
        outcome_of(STATES.index(state), status)
        for state in ("retrying", "failed", "cancelled")
        for status in (None, 100, 300, 400, 500)
    ),
)
"""All there are: what waits for its first attempt has no status, what was delivered a 2xx, and nothing else has."""


def classes_and_codes(statuses: Iterable[str]) -> tuple[set[int], set[int]]:
    """Of statuses as they are asked for, the classes that are wanted whole, and the single ones."""
    classes, codes = set[int](), set[int]()
    for status in statuses:
        if status == "none":
            classes.add(0)
        elif len(status) == 3 and status[0] in "12345" and status[1:].lower() == "xx":
            classes.add(int(status[0]))
        elif len(status) == 3 and status.isascii() and status.isdigit() and status >= "100":
            codes.add(int(status))
        else:
            raise InvalidInputError(f"{status!r} is no status: say one like 404, a group like 4xx, or none")
    return classes, codes


def ids_of(target: str) -> list[int | str]:
    """What an entity's id may be that people write so."""
    if NUMBER.fullmatch(target) is None or not -(2**63) <= int(target) < 2**64:
        return [target]
    return [target, int(target)]


NUMBER = re.compile(r"0|-?[1-9][0-9]{0,19}")


def pack(id: int | str) -> bytes:
    return msgspec.msgpack.encode(id)


def _marks(values: Iterable[object]) -> str:
    return ",".join("?" for _ in values)
