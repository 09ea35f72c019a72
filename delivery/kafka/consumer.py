"""A member of a consumer group: one thread owns the client, and the loop takes what it reads."""

from __future__ import annotations

import asyncio
import math
import threading
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from kafka import KafkaConsumer
from kafka.consumer.subscription_state import AsyncConsumerRebalanceListener
from kafka.coordinator.assignors.cooperative_sticky import CooperativeStickyAssignor
from kafka.errors import KafkaError, RetriableError

from delivery.kafka.ahead import ReadAhead
from delivery.kafka.client import AGAIN_S, Outage, log, opened
from delivery.kafka.committing import COMMIT_MS, Committing
from delivery.kafka.lag import Lag
from delivery.kafka.reading import record_of
from delivery.kafka.records import Partition, Record
from delivery.kafka.settings import Settings
from delivery.kafka.translate import partitions_of

CONSUMED_RECORDS_MAX = 10_000
"""Records read ahead that nobody has taken; beyond it their partitions are paused until half of them are."""
CONSUMED_BYTES_MAX = 32 * 1024 * 1024
"""Bytes of the same."""
RELEASE_S = 4.0
"""How long a partition that another member is to have waits for what is under way of it, if nobody says otherwise."""
MEMBER_PART = 0.75
"""So much of a session after it was heard of, a member is still sure to be one."""
CLOSE_S = 12.0
"""How long a client may take to close; then its thread is left behind."""
POLL_MS = 50
"""How long a look for records waits for some, and what is to be committed for its turn."""

Assigned = Callable[[frozenset[Partition]], None]
Released = Callable[[frozenset[Partition]], Awaitable[None]]


class Consumer:
    """The form of `Incoming` over Kafka.

    *assigned* is called on the loop when partitions become ours. *released* is awaited there before they become
    somebody else's: meanwhile what is under way of them can still be committed. Records of them that nobody has taken
    are gone by then.
    """

    def __init__(
        self,
        settings: Settings,
        group: str,
        topics: Sequence[str],
        *,
        assigned: Assigned,
        released: Released,
        release_s: float = RELEASE_S,
        records_max: int = CONSUMED_RECORDS_MAX,
        bytes_max: int = CONSUMED_BYTES_MAX,
    ) -> None:
        """*release_s*: how long *released* is waited for; the group waits for it as long, and is told that we live."""
        self._arguments = {
            **settings.consumer(),
            "group_id": group,
            "partition_assignment_strategy": [CooperativeStickyAssignor],
        }
        self._topics = list(topics)
        self._assigned, self._released = assigned, released
        self._name = f"consumer of {', '.join(topics)}"
        self._outage = Outage(self._name, settings.servers)
        self._owned: set[Partition] = set()
        self.lag = Lag(topics)
        self._committing = Committing(self.lag, self._is_going)
        self._release_s = release_s
        self._ends: dict[Partition, int] = {}
        self._member_s: float = self._arguments["session_timeout_ms"] / 1_000 * MEMBER_PART
        self._heard = -math.inf
        """When the group last heard of us: of what was asked and is answered, when it was asked."""
        self._ahead = ReadAhead(records_max, bytes_max)
        self._arrived, self._ended = asyncio.Event(), asyncio.Event()
        self._closing, self._is_to_be_out = threading.Event(), threading.Event()
        self._left = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        threading.Thread(target=self._run, name=self._name, daemon=True).start()

    @property
    def fault(self) -> str | None:
        return self._outage.fault

    @property
    def waiting(self) -> int:
        """Records that were read, and not taken."""
        return self._ahead.records

    @property
    def is_member(self) -> bool:
        return time.monotonic() - self._heard < self._member_s

    def end(self, partition: Partition) -> int:
        return self._ends.get(partition, 0)

    async def take(self) -> list[Record]:
        while True:
            if records := self._ahead.take():
                return records
            if self._closing.is_set():
                return []
            self._arrived.clear()
            await self._arrived.wait()

    async def commit(self, offsets: Mapping[Partition, int]) -> str | None:
        made: asyncio.Future[str | None] = self._loop.create_future()

        def told(why: str | None) -> None:
            if not made.done():
                made.set_result(why)

        self._committing.asked.ask(dict(offsets), lambda why: self._tell(told, why))
        return await made

    async def leave(self) -> None:
        self._left.clear()
        self._is_to_be_out.set()
        if not self._closing.is_set():
            await self._left.wait()

    def join(self) -> None:
        self._is_to_be_out.clear()

    async def close(self) -> None:
        self._closing.set()
        self._arrived.set()
        self._left.set()
        try:
            async with asyncio.timeout(CLOSE_S):
                await self._ended.wait()
        except TimeoutError:
            log.say("kafka.not_closed", client=self._name, limit_s=CLOSE_S)
        self._committing.asked.close("it is closed")

    def _is_going(self) -> bool:
        return self._closing.is_set() or self._is_to_be_out.is_set()

    # On the thread of the client

    def _run(self) -> None:
        while not self._closing.is_set():
            if self._is_to_be_out.is_set():
                self._stay_out()
                continue
            try:
                self._member()
            except (KafkaError, OSError) as error:
                self._outage.failed(error)
            except Exception as bug:  # noqa: BLE001 -- of kafka-python or ours: the thread must not end by it
                log.say("kafka.bug", bug, client=self._name)
                self._outage.failed(bug)
            if not self._is_to_be_out.is_set():
                self._closing.wait(AGAIN_S)
        self._tell(self._left.set)
        self._committing.asked.close("it is closed")
        self._tell(self._ended.set)

    def _stay_out(self) -> None:
        self._heard = -math.inf
        # However the client came to its end: what it had is for others.
        self._ahead.take()
        self._owned.clear()
        self._ends.clear()
        while self._is_to_be_out.is_set() and not self._closing.is_set():
            self._tell(self._left.set)
            self._closing.wait(POLL_MS / 1000)

    def _member(self) -> None:
        """Be one of the group, until it is left."""
        consumer, network = opened(KafkaConsumer, self._arguments)
        try:
            self._find(network)
            consumer.subscribe(self._topics, listener=_Rebalance(self, consumer, network))
            while not self._is_going():
                self._look(consumer)
                self._committing.commit(consumer, self._owned)
                paused = consumer.paused()
                if self._ahead.is_full():
                    consumer.pause(*(consumer.assignment() - paused))
                elif paused:
                    consumer.resume(*paused)
                polled = consumer.poll(POLL_MS)
                self.lag.look(consumer, polled)
                if polled:
                    self._note_ends(consumer, polled)
                    self._ahead.put([record_of(one) for records in polled.values() for one in records])
                    self._tell(self._arrived.set)
            self._committing.commit(consumer, self._owned)
        finally:
            consumer.close(autocommit=False, timeout_ms=COMMIT_MS)

    def _find(self, network: Any) -> None:
        """Wait until all topics are there: a member that joins before would be given nothing of them for long."""
        cluster = network.cluster
        cluster.set_topics(self._topics)
        while not self._is_going():
            missing = [topic for topic in self._topics if not cluster.partitions_for_topic(topic)]
            if not missing:
                return
            self._outage.silent(f"there is no topic {', '.join(missing)}: hookledger kafka init makes it")
            with suppress(RetriableError):
                network._net.run(network._manager.wait_for, cluster.request_update(), COMMIT_MS)  # noqa: SLF001
            self._closing.wait(POLL_MS / 1000)

    def _look(self, consumer: Any) -> None:
        """Whether its group's coordinator is there: it hears from it every two seconds, whatever there is to read."""
        coordinator = consumer._coordinator  # noqa: SLF001 -- nothing public tells of it
        beat = coordinator.heartbeat
        is_answered = beat.last_receive >= beat.last_send
        if is_answered:
            self._heard = max(self._heard, beat.last_send)
        if coordinator.coordinator_unknown():
            self._outage.silent()
        else:
            self._outage.end()
        if coordinator.rejoining:
            # A leader that joins again because of its topics forgets that it does, when `poll` returns before the
            # answer: without this nobody would look at that, and it would send no heartbeat again.
            coordinator.request_rejoin()

    def _note_ends(self, consumer: Any, polled: Iterable[Any]) -> None:
        """Of each partition once: its end as the first answer said it that came since it is ours."""
        for theirs in polled:
            partition = Partition(theirs.topic, theirs.partition)
            if partition not in self._ends:
                self._ends[partition] = consumer.highwater(theirs) or 0

    def _tell(self, call: Callable[..., object], *words: object) -> None:
        """Call it on the loop."""
        try:
            self._loop.call_soon_threadsafe(call, *words)
        except RuntimeError:
            # It is closed, and this process ends.
            self._closing.set()

    # On the thread of the client's network, while its own waits for it in `poll` or `close`

    def gained(self, partitions: frozenset[Partition]) -> None:
        self._owned |= partitions
        self._heard = time.monotonic()
        self._tell(self._assigned, partitions)

    async def let_go(self, partitions: frozenset[Partition], consumer: Any, network: Any) -> None:
        """Wait for the loop to let go of them, and commit what it asks for meanwhile; heartbeats go on."""
        self._ahead.forget(partitions)
        released = self._ask_loop(partitions)
        until = time.monotonic() + self._release_s
        # Who cannot record what is under way has nothing to wait for.
        while not released.is_set() and not self._is_to_be_out.is_set() and time.monotonic() < until:
            await self._committing.commit_meanwhile(consumer, self._owned)
            await network._net.sleep(0.005)  # noqa: SLF001 -- it has no other clock
        await self._committing.commit_meanwhile(consumer, self._owned)
        if not released.is_set() and not self._is_to_be_out.is_set():
            log.say("kafka.not_released", client=self._name, partitions=", ".join(map(str, sorted(partitions))))
        self._owned -= partitions
        for partition in partitions:
            self._ends.pop(partition, None)

    def _ask_loop(self, partitions: frozenset[Partition]) -> threading.Event:
        """It is set when the loop has let go."""
        done = threading.Event()
        running: set[asyncio.Task[None]] = set()

        async def release() -> None:
            try:
                await self._released(partitions)
            except Exception as bug:  # noqa: BLE001 -- the partitions go away all the same
                log.say("kafka.bug", bug, client=self._name)
            finally:
                done.set()
                running.clear()

        self._tell(lambda: running.add(self._loop.create_task(release())))
        return done


class _Rebalance(AsyncConsumerRebalanceListener):  # type: ignore[misc]
    """What a group's coordinator says of who has which partition."""

    def __init__(self, owner: Consumer, consumer: Any, network: Any) -> None:
        self._owner, self._consumer, self._network = owner, consumer, network

    async def on_partitions_assigned(self, assigned: Iterable[Any]) -> None:
        self._owner.gained(partitions_of(assigned))

    async def on_partitions_revoked(self, revoked: Iterable[Any]) -> None:
        await self._owner.let_go(partitions_of(revoked), self._consumer, self._network)
