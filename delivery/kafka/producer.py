"""Who writes to topics: one thread owns the client, and sends what has gathered on the loop."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Sequence
from queue import Empty, SimpleQueue
from typing import Any, NamedTuple

from kafka import KafkaProducer
from kafka.errors import (
    InvalidTopicError,
    KafkaError,
    KafkaTimeoutError,
    MessageSizeTooLargeError,
    RecordListTooLargeError,
    TopicAuthorizationFailedError,
    UnknownTopicOrPartitionError,
)

from core.errors import OverloadedError
from delivery.kafka.client import AGAIN_S, Outage, log, opened, text_of
from delivery.kafka.packing import Packed, Packer
from delivery.kafka.records import Message, Outcome, Placed, Refused
from delivery.kafka.settings import Settings

PRODUCED_RECORDS_MAX = 20_000
"""Messages that wait for the broker's answer, in all."""
PRODUCED_BYTES_MAX = 32 * 1024 * 1024
"""Bytes of the same."""
PRODUCE_ROUND_MAX = 2_000
"""Messages that are answered together, where many calls wait; one call is never split."""
CLOSE_S = 12.0
"""How long a client may take to close; then its thread is left behind."""
LAST_S = 6.0
"""Of that, how long the broker is waited for."""
FLUSH_S = 0.5
"""How long until it is looked whether a broker that has not answered is there at all."""

GRACE_S = 5.0
"""So much longer than its own patience a client is waited for. One that is to begin a new epoch, after a topic was made
again, may wait for ever and look at no time."""

EXPECTED = (
    InvalidTopicError,
    KafkaTimeoutError,
    TopicAuthorizationFailedError,
    UnknownTopicOrPartitionError,
)
"""What is wrong with a message, or lasts too long. After anything else the client may be spoiled, as it is, for good,
when a broker finds a message too large."""

TOO_LARGE = (MessageSizeTooLargeError, RecordListTooLargeError)
"""What the client says of one message, and a broker of all that were sent together."""


class Batch(NamedTuple):
    """One call of `send`."""

    messages: Sequence[Message]
    size: int
    answer: asyncio.Future[list[Outcome]]


class Producer:
    """The form of `Outgoing` over Kafka: every message is on all in-sync copies before it is Placed, and once."""

    def __init__(
        self, settings: Settings, *, records_max: int = PRODUCED_RECORDS_MAX, bytes_max: int = PRODUCED_BYTES_MAX
    ) -> None:
        self._arguments = settings.producer()
        self._patience_s = self._arguments["delivery_timeout_ms"] / 1000
        self._records_max, self._bytes_max = records_max, bytes_max
        self._records = self._bytes = 0
        self._outage = Outage("producer", settings.servers)
        self._batches: SimpleQueue[Batch | None] = SimpleQueue()
        self._until: float | None = None
        """When the broker is waited for no longer, once it is closed."""
        self._client: tuple[Any, Any] | None = None
        self._spoiled = False
        self._ended = asyncio.Event()
        self._waiting: set[asyncio.Future[list[Outcome]]] = set()
        self._loop = asyncio.get_running_loop()
        threading.Thread(target=self._run, name="producer", daemon=True).start()

    @property
    def fault(self) -> str | None:
        return self._outage.fault

    async def send(self, messages: Sequence[Message]) -> list[Outcome]:
        if self._until is not None:
            return [Refused("it is closed")] * len(messages)
        size = sum(message.size for message in messages)
        if self._records and self._records + len(messages) > self._records_max:
            raise OverloadedError("too many messages wait for the broker", limit="PRODUCED_RECORDS_MAX")
        if self._records and self._bytes + size > self._bytes_max:
            raise OverloadedError("too much waits for the broker", limit="PRODUCED_BYTES_MAX")
        batch = Batch(messages, size, self._loop.create_future())
        self._records += len(messages)
        self._bytes += size
        self._waiting.add(batch.answer)
        self._batches.put(batch)
        return await batch.answer

    async def close(self) -> None:
        if self._until is None:
            self._until = time.monotonic() + LAST_S
            self._batches.put(None)
        try:
            async with asyncio.timeout(CLOSE_S):
                await self._ended.wait()
        except TimeoutError:
            log.say("kafka.not_closed", client="producer", limit_s=CLOSE_S)
            for answer in self._waiting:
                answer.cancel()

    def _answered(self, batch: Batch, outcomes: list[Outcome]) -> None:
        self._records -= len(batch.messages)
        self._bytes -= batch.size
        self._waiting.discard(batch.answer)
        if not batch.answer.done():
            batch.answer.set_result(outcomes)

    # On the thread of the client

    def _run(self) -> None:
        while batches := self._gathered():
            try:
                outcomes = self._round([message for batch in batches for message in batch.messages])
            except Exception as bug:  # noqa: BLE001 -- of kafka-python or ours: the thread must not end by it
                log.say("kafka.bug", bug, client="producer")
                self._outage.failed(bug)
                self._spoiled = True
                outcomes = [Refused(text_of(bug))] * sum(len(batch.messages) for batch in batches)
            begin = 0
            for batch in batches:
                end = begin + len(batch.messages)
                self._tell(self._answered, batch, outcomes[begin:end])
                begin = end
        self._drop()
        self._tell(self._ended.set)

    def _gathered(self) -> list[Batch]:
        """What waits, in its order; nothing: it was all, and there will be no more."""
        first = self._batches.get()
        if first is None:
            return []
        batches, messages = [first], len(first.messages)
        while messages < PRODUCE_ROUND_MAX:
            try:
                batch = self._batches.get_nowait()
            except Empty:
                break
            if batch is None:
                self._batches.put(None)
                break
            batches.append(batch)
            messages += len(batch.messages)
        return batches

    def _round(self, messages: list[Message]) -> list[Outcome]:
        producer = self._opened(time.monotonic() + self._patience_s)
        if producer is None:
            return [Refused(self._outage.fault or "it is closed")] * len(messages)
        unknown: dict[str, Refused] = {}
        single: dict[int, Any] = {}

        def send(index: int, message: Message) -> None:
            single[index] = self._sent(producer, message, unknown)

        packed = Packer(producer).pack(messages, send)
        self._wait(producer, [one for one in single.values() if not isinstance(one, Refused)], packed)
        outcomes: list[Outcome] = [Refused("")] * len(messages)
        for index, one in single.items():
            outcomes[index] = one if isinstance(one, Refused) else self._outcome(one)
        for batch in packed:
            for index, partition, offset, error in batch.ends():
                outcomes[index] = Placed(partition, offset) if error is None else self._refused(error)
        if packed and not all(isinstance(one, Refused) for one in outcomes):
            self._outage.end()
        return outcomes

    def _opened(self, until: float) -> Any | None:
        """The client; None when it is given up."""
        if self._spoiled:
            self._drop()
        while self._client is None:
            try:
                self._client = opened(KafkaProducer, self._arguments)
            except (KafkaError, OSError, ValueError, RuntimeError, AssertionError) as error:
                self._outage.failed(error)
                if self._until is not None or time.monotonic() > until:
                    return None
                time.sleep(AGAIN_S)
        return self._client[0]

    def _sent(self, producer: Any, message: Message, unknown: dict[str, Refused]) -> Any:
        """What will be known of it; or why it is not even sent. A topic that is not found is looked for once."""
        if message.topic in unknown:
            return unknown[message.topic]
        if self._is_over() or (unknown and not self._is_reached()):
            return next(iter(unknown.values()), Refused("it is closed"))
        try:
            return producer.send(message.topic, message.value, message.key, list(message.headers))
        except KafkaTimeoutError as error:
            why = "hookledger kafka init makes it" if self._is_reached() else text_of(error)
            unknown[message.topic] = Refused(f"topic {message.topic!r} is not found: {why}")
            return unknown[message.topic]
        except (KafkaError, ValueError, TypeError) as error:
            return _refused(error)

    def _wait(self, producer: Any, single: list[Any], packed: list[Packed]) -> None:
        """Until all of it is answered, by the broker or by time; a client that does not heed that is given up."""
        until = time.monotonic() + self._patience_s + GRACE_S
        while True:
            # One that was sent once more, in a smaller batch, is no longer waited for by `flush`.
            waiting = [one for one in single if not one.is_done]
            waiting_packed = [one for batch in packed if not batch.is_ended() for one in batch.futures()]
            if not waiting and not waiting_packed:
                return
            try:
                producer.flush(FLUSH_S)
                if waiting:
                    waiting[0].get(FLUSH_S)
                elif not waiting_packed[0].wait(FLUSH_S):
                    raise KafkaTimeoutError("no answer yet")
            except KafkaError:
                if not self._is_reached():
                    self._outage.silent()
            if self._is_over() or time.monotonic() > until:
                self._drop()

    def _is_reached(self) -> bool:
        if self._client is None:
            return False
        network = self._client[1]
        return any(network.connected(node.node_id) for node in network.cluster.brokers())

    def _outcome(self, one: Any) -> Outcome:
        if one.succeeded():
            self._outage.end()
            return Placed(one.value.partition, one.value.offset)
        return self._refused(one.exception)

    def _refused(self, error: Exception) -> Refused:
        if not isinstance(error, EXPECTED):
            self._spoiled = True
        return _refused(error)

    def _is_over(self) -> bool:
        return self._until is not None and time.monotonic() > self._until

    def _drop(self) -> None:
        """Close the client; what the broker has not answered by now is refused."""
        self._spoiled = False
        if self._client is not None:
            producer, self._client = self._client[0], None
            producer._sender.force_close()  # noqa: SLF001 -- `close` leaves it running where the broker is away
            try:
                producer.close(FLUSH_S)
            except KafkaError as error:
                self._outage.failed(error)

    def _tell(self, call: Callable[..., object], *words: object) -> None:
        """Call it on the loop; where that is closed, this process ends."""
        try:
            self._loop.call_soon_threadsafe(call, *words)
        except RuntimeError:
            self._until = 0.0


def _refused(error: BaseException) -> Refused:
    return Refused(text_of(error), isinstance(error, TOO_LARGE))
