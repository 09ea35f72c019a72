"""Commits what a consumer was asked to, on the thread that owns its client."""

from __future__ import annotations

from collections.abc import Callable, Set
from typing import Any

from kafka.errors import KafkaError, RebalanceInProgressError, RetriableError

from delivery.kafka.client import text_of
from delivery.kafka.commits import Asked, Commits
from delivery.kafka.lag import Lag
from delivery.kafka.records import Partition
from delivery.kafka.translate import answer_all, offsets_of

COMMIT_MS = 1_000
"""How long one try to commit may hold up the reading."""


class Committing:
    """All that was asked for is one commit; what cannot be made just now is for the next one."""

    def __init__(self, lag: Lag, is_going: Callable[[], bool]) -> None:
        """*is_going*: whether the consumer leaves its group."""
        self.asked, self._lag, self._is_going = Commits(), lag, is_going

    def commit(self, consumer: Any, owned: Set[Partition]) -> None:
        """For who is not within a call of *consumer*."""
        asked = self.asked.take(owned)
        if asked:
            try:
                consumer.commit(offsets_of(asked), timeout_ms=COMMIT_MS)
            except KafkaError as error:
                self._is_not(asked, error)
            else:
                self._is(asked)

    async def commit_meanwhile(self, consumer: Any, owned: Set[Partition]) -> None:
        """For who was called by it, on the thread of its network: what `commit` does there."""
        asked = self.asked.take(owned)
        if asked:
            try:
                await consumer._coordinator._commit_offsets_sync_async(offsets_of(asked), COMMIT_MS)  # noqa: SLF001
            except KafkaError as error:
                self._is_not(asked, error)
            else:
                self._is(asked)

    def _is(self, asked: list[Asked]) -> None:
        self._lag.committed(offsets_of(asked))
        answer_all(asked, None)

    def _is_not(self, asked: list[Asked], error: KafkaError) -> None:
        # Who goes waits neither for the end of a rebalance, which cannot come before it is gone, nor for a broker.
        if not isinstance(error, RetriableError | RebalanceInProgressError):
            answer_all(asked, text_of(error))
        elif self._is_going():
            answer_all(asked, "its group is left")
        else:
            self.asked.put_back(asked)
