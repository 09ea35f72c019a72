"""What must hold after all of it, by the ledger, what portals were told, and what the receiver wrote down."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple

from core.ledger.read import Reader
from core.ledger.unit import Recorded
from core.limits import MARK_S, TOTAL_S
from core.model.delivery import AttemptFailed, Cancelled, Created, Delivered, LateAttempt
from core.model.portal_event import Received
from tests.faults.chaos.people import Told
from tests.faults.chaos.world import Trouble
from tests.matching.history import everything

SLACK_S = 0.5
"""Clocks are read before what they date."""
BEGUN_S = MARK_S - TOTAL_S
"""So long after a row was handed out its attempt may be begun."""
HELD_S = MARK_S - BEGUN_S
"""Whoever waited longer than this was marked by somebody who has gone."""


class Request(NamedTuple):
    """One that the receiver got, and when; *signed* is its `webhook-timestamp`."""

    at: float
    path: str
    delivery: str
    attempt: int
    signed: int


def requests_of(log: str) -> list[Request]:
    lines = [line.split() for line in log.splitlines()]
    return [Request(float(at), path, id, int(attempt), int(signed)) for at, path, id, attempt, signed in lines]


class Judge:
    """Reads the ledger once; `wrong` has what does not hold."""

    def __init__(
        self,
        reader: Reader,
        requests: Sequence[Request],
        troubles: Sequence[Trouble],
        led: Sequence[tuple[float, str]],
    ) -> None:
        """*led*: who began to lead when."""
        self._led = sorted(led)
        self._reader, self._requests, self._troubles = reader, requests, troubles
        self.wrong: list[str] = []
        self.recorded = everything(reader)
        self.created: dict[str, Recorded] = {}
        self.outcomes: dict[str, list[Recorded]] = defaultdict(list)
        for one in self.recorded:
            if isinstance(one.event, Created):
                self.created[one.stream.hex()] = one
            elif isinstance(one.event, Delivered | AttemptFailed | Cancelled | LateAttempt):
                self.outcomes[one.stream.hex()].append(one)
        self._came: dict[tuple[str, int], list[float]] = defaultdict(list)
        for request in requests:
            self._came[request.delivery, request.attempt].append(request.at)

    def acknowledged(self, told: Mapping[str, Told | None]) -> int:
        """Each is recorded once, where it was said if it was, with as many deliveries; how many are not recorded at
        all."""
        events = [one for one in self.recorded if isinstance(one.event, Received)]
        times = Counter(one.event.id for one in events)
        self.wrong += [f"{id} was recorded {count} times" for id, count in times.items() if count > 1]
        where = {one.event.id: (one.position, one.event.deliveries) for one in events}
        made = Counter(one.event.event for one in self.created.values() if one.event.cause is None)
        self.wrong += [
            f"{one.event.id} has {made[one.stream]} deliveries, and says {one.event.deliveries}"
            for one in events
            if made[one.stream] != one.event.deliveries
        ]
        lost = [id for id in told if id not in where]
        self.wrong += [f"{id} was acknowledged, and is not in the ledger" for id in lost]
        self.wrong += [
            f"{id}: {said} was said, and {where[id]} recorded"
            for id, said in told.items()
            if said is not None and where.get(id, said) != said
        ]
        return len(lost)

    def deliveries(self) -> None:
        """Each has one end, and attempts one after the other; what is recorded of a receiver, the receiver saw."""
        for id, created in self.created.items():
            events = [one.event for one in self.outcomes[id]]
            ends = [event for event in events if _ends(event)]
            if len(ends) != 1:
                self.wrong.append(f"delivery {created.position} {id} has {len(ends)} ends")
            numbers = [event.attempt.number for event in events if isinstance(event, Delivered | AttemptFailed)]
            if numbers != list(range(1, len(numbers) + 1)):
                self.wrong.append(f"delivery {created.position} {id} has the attempts {numbers}")
            for event in events:
                attempt = getattr(event, "attempt", None)
                if attempt is not None and attempt.status is not None and not self._came[id, attempt.number]:
                    self.wrong.append(f"delivery {created.position} {id}: nobody received attempt {attempt.number}")
        strangers = {request.delivery for request in self._requests} - set(self.created)
        self.wrong += [f"{id} was received, and is no delivery" for id in strangers]

    def twice(self) -> int:
        """Requests that came again: only when whoever made the first was killed, told to end or paused, not before its
        mark was over, and not after its outcome was recorded; how many."""
        count, at = 0, dict(self._committed())
        for (id, number), came in self._came.items():
            for first, second in pairwise(came):
                count += 1
                paused = self._met(("pause",), first, second)
                if not paused and not self._met(("kill", "end"), first, second):
                    self.wrong.append(
                        f"{id} attempt {number} came twice, and who made it had not gone: {first:.3f}, {second:.3f}"
                    )
                if not paused and second - first < HELD_S:
                    self.wrong.append(f"{id} attempt {number} came twice in {second - first:.3f} s, from {first:.3f}")
            recorded = at.get((id, number))
            if recorded is not None and came[-1] > recorded + SLACK_S and not self._met(("pause",), recorded, came[-1]):
                self.wrong.append(f"{id} attempt {number} came at {came[-1]:.3f}, and was recorded at {recorded:.3f}")
        return count

    def _met(self, kinds: Sequence[str], since: float, until: float) -> bool:
        """Whether that happened, between two requests, to somebody who may have made the first."""
        makers = self._leaders(since)
        return any(
            one.kind in kinds and one.name in makers and one.began <= until and one.ended >= since
            for one in self._troubles
        )

    def _leaders(self, at: float) -> set[str]:
        """Who led at that time, or shortly before, and may have finished what was begun."""
        before = [one for one in self._led if one[0] <= at + SLACK_S]
        return {name for since, name in before[-1:]} | {name for since, name in before if since > at - BEGUN_S}

    def _committed(self) -> Iterator[tuple[tuple[str, int], float]]:
        """By delivery and attempt, when its outcome was recorded."""
        commits = iter(self._reader.recorder.rows("SELECT last, at FROM commits ORDER BY last"))
        last, at = next(commits)
        for one in self.recorded:
            while one.position > last:
                last, at = next(commits)
            if isinstance(one.event, Delivered | AttemptFailed):
                yield (one.stream.hex(), one.event.attempt.number), at / 1_000

    def longest_pause(self) -> tuple[float, float, float]:
        """Between two requests, as long as one was due that nobody held: its seconds, when it began; and the longest
        during which neither database nor broker was away."""
        waits = sorted(self._waits())
        times = sorted(request.at for request in self._requests)
        longest, began, longest_there, index = 0.0, 0.0, 0.0, 0
        waiting: list[tuple[float, float]] = []
        for before, after in pairwise(times):
            while index < len(waits) and waits[index][0] < after:
                waiting.append(waits[index])
                index += 1
            waiting = [(due, came) for due, came in waiting if came >= after]
            since = max(before, min((due for due, _ in waiting), default=after))
            if after - since > longest:
                longest, began = after - since, since
            away = [
                one
                for one in self._troubles
                if one.kind in ("stop", "kafka") and one.began < after and one.ended > since
            ]
            if not away:
                longest_there = max(longest_there, after - since)
        return longest, began, longest_there

    def _waits(self) -> Iterator[tuple[float, float]]:
        """From when an attempt was due to when it came, of those that were not held for somebody who had gone."""
        for id, created in self.created.items():
            due, number = created.event.at / 1_000, 1
            for event in [one.event for one in self.outcomes[id]]:
                came = self._came.get((id, number))
                if came and came[0] - due < HELD_S:
                    yield due, came[0]
                if isinstance(event, AttemptFailed) and event.next is not None:
                    due, number = event.next / 1_000, event.attempt.number + 1


def _ends(event: object) -> bool:
    return isinstance(event, Delivered | Cancelled) or (isinstance(event, AttemptFailed) and event.next is None)
