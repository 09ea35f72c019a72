"""Portals that produce their events to Kafka, some of them twice, until the broker says that it has them."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from core.errors import OverloadedError
from delivery.kafka.producer import Producer
from delivery.kafka.records import Message, Placed
from tests.faults.chaos.people import AGAIN_S, BATCH, People, moment


class KafkaPeople(People):
    """`acknowledged` are the events that the broker has; it says nothing of what becomes of them."""

    topic: str
    producer: Producer

    def produce_with(self, producer: Producer, topic: str) -> None:
        self.producer, self.topic = producer, topic
        self.waits = False
        """Nobody produces more for now."""
        self.sending = 0

    async def publish(self, may: Callable[[], int]) -> None:
        while (upto := may()) >= 0:
            if self.waits or len(self.acknowledged) >= upto:
                await moment(AGAIN_S)
                continue
            events = [self._event() for _ in range(BATCH)]
            self.sending += 1
            await self._produce(events)
            if self.random.random() < 0.1:
                await self._produce(events)
                self.counts["batches produced twice"] += 1
            self.sending -= 1

    async def _produce(self, events: list[dict[str, Any]]) -> None:
        """Also what the broker may have already: whoever is not told so sends again."""
        waiting = events
        while waiting:
            messages = [Message(self.topic, one["type"].encode(), json.dumps(one).encode()) for one in waiting]
            try:
                outcomes = await self.producer.send(messages)
            except OverloadedError:
                await moment(AGAIN_S)
                continue
            placed = [one for one, outcome in zip(waiting, outcomes, strict=True) if isinstance(outcome, Placed)]
            self.acknowledged |= dict.fromkeys(one["id"] for one in placed)
            waiting = [one for one in waiting if one["id"] not in self.acknowledged]
            if waiting:
                self.counts["produced again"] += len(waiting)
                await moment(AGAIN_S)
