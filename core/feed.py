"""A file on its way to whoever takes it: in batches, in the order of the file, with patience for who is away or full.

Only what is on its way is in memory. Nothing is written down of how far it came: who takes an entry knows it again, so
the same file can be fed once more from its beginning.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Generic, NamedTuple, Protocol, TypeVar

from core.elements import Element
from core.entries import Entries
from core.errors import HookledgerError, OverloadedError
from core.limits import EVENT_BYTES_MAX, FEED_BATCH_BYTES, FEED_IDLE_S, FEED_PATIENCE_S

AGAIN_S = 0.25
"""How long after one try to reach who is away the next one comes."""

TOO_LARGE = f"more than {EVENT_BYTES_MAX} bytes: make it smaller (EVENT_BYTES_MAX)"

Item = TypeVar("Item")


class Source(Protocol):
    """Where the bytes of the file come from."""

    async def read(self) -> bytes:
        """The next of them; none at the end."""
        ...


class Place(NamedTuple):
    """Where an entry stands: its line, and which element of the array it is, both counted from 1; None: of no array."""

    line: int
    element: int | None


class Outcome(NamedTuple):
    """What became of a batch: how many by what, and for those that were refused which of it, from 0, and why."""

    counts: Mapping[str, int]
    refused: Sequence[tuple[int, str]]


class Way(Protocol[Item]):
    """What entries are made into, and who takes them."""

    under_way_max: int
    """Batches sent and not answered; more than one only where they are taken in the order they are sent."""
    batch_max: int
    """Entries in one batch."""

    def item(self, raw: bytes) -> Item | str:
        """What is sent for one entry; or, in words, why it is not."""
        ...

    async def send(self, items: list[Item]) -> asyncio.Future[Outcome]:
        """Send a batch; returns when it has its place, with its outcome to come. ConnectionError and OverloadedError,
        at once or as its outcome, mean that it has to be sent again."""
        ...


class Teller(Protocol):
    """Who is told how it goes, in the order of the file."""

    def refused(self, place: Place, reason: str) -> None: ...

    def answered(self, counts: Mapping[str, int], read_bytes: int) -> None:
        """A batch was taken, and so much of the file had been read when it was sent."""
        ...

    def waits(self, reason: str) -> None: ...


class _Batch(NamedTuple, Generic[Item]):
    """A stretch of the file: where its entries stand, what is sent of them, and those that are not sent, and why."""

    places: list[Place]
    items: list[Item]
    unsent: list[tuple[Place, str]]
    read_bytes: int


class Feed(Generic[Item]):
    """One file on its way. `stop` ends it early, once all that was sent is answered."""

    def __init__(self, way: Way[Item], teller: Teller) -> None:
        self._way, self._teller = way, teller
        self._entries = Entries(EVENT_BYTES_MAX)
        self._room = asyncio.Semaphore(way.under_way_max)
        self._sent: asyncio.Queue[tuple[_Batch[Item], asyncio.Future[Outcome] | None] | None] = asyncio.Queue()
        """Batches in their order, those that wait for one before them without an outcome; in the end None."""
        self._behind = 0
        """Batches that have to be sent again, and those that wait for them."""
        self._stopped = asyncio.Event()
        self._places: list[Place] = []
        self._items: list[Item] = []
        self._unsent: list[tuple[Place, str]] = []
        self._bytes = self._number = self._read_bytes = 0
        self._fault: HookledgerError | None = None

    def stop(self) -> None:
        self._stopped.set()

    @property
    def is_stopped(self) -> bool:
        return self._stopped.is_set()

    async def run(self, source: Source) -> None:
        """Feed all of it. HookledgerError when the file is not whole, or nobody took any of it for FEED_PATIENCE_S."""
        sending = asyncio.ensure_future(self._send_all(source))
        settling = asyncio.ensure_future(self._settle_all())
        try:
            done, _ = await asyncio.wait((sending, settling), return_when=asyncio.FIRST_EXCEPTION)
            for task in done:
                task.result()
        finally:
            for task in (sending, settling):
                task.cancel()
            await asyncio.gather(sending, settling, return_exceptions=True)
        if self._fault is not None:
            raise self._fault

    async def _send_all(self, source: Source) -> None:
        try:
            await self._read_all(source)
        except HookledgerError as error:
            self._fault = error
        if not self.is_stopped:
            await self._send()
        self._sent.put_nowait(None)

    async def _read_all(self, source: Source) -> None:
        stopping = asyncio.ensure_future(self._stopped.wait())
        reading = asyncio.ensure_future(source.read())
        try:
            while True:
                # A portal that writes an entry now and then need not wait until a batch is full.
                idle_s = FEED_IDLE_S if self._items or self._unsent else None
                await asyncio.wait((reading, stopping), timeout=idle_s, return_when=asyncio.FIRST_COMPLETED)
                if self.is_stopped:
                    return
                if not reading.done():
                    await self._send()
                    continue
                chunk = reading.result()
                self._read_bytes += len(chunk)
                await self._take(self._entries.feed(chunk) if chunk else self._entries.close())
                if not chunk:
                    return
                reading = asyncio.ensure_future(source.read())
        finally:
            stopping.cancel()
            reading.cancel()

    async def _take(self, elements: list[Element]) -> None:
        for line, raw in elements:
            if self.is_stopped:
                return
            self._number += 1
            place = Place(line, self._number if self._entries.is_array else None)
            item = TOO_LARGE if raw is None else self._way.item(raw)
            if isinstance(item, str):
                self._unsent.append((place, item))
            else:
                self._places.append(place)
                self._items.append(item)
                self._bytes += len(raw or b"")
            if len(self._items) + len(self._unsent) >= self._way.batch_max or self._bytes >= FEED_BATCH_BYTES:
                await self._send()

    async def _send(self) -> None:
        if not self._items and not self._unsent:
            return
        batch = _Batch(self._places, self._items, self._unsent, self._read_bytes)
        self._places, self._items, self._unsent, self._bytes = [], [], [], 0
        await self._room.acquire()
        if self._behind:
            self._behind += 1
            self._sent.put_nowait((batch, None))
            return
        coming = await self._sending(batch)
        if coming.done():
            self._look(coming)
        else:
            coming.add_done_callback(self._look)
        self._sent.put_nowait((batch, coming))

    def _look(self, coming: asyncio.Future[Outcome]) -> None:
        if not coming.cancelled() and coming.exception() is not None:
            self._behind += 1

    async def _sending(self, batch: _Batch[Item]) -> asyncio.Future[Outcome]:
        """As the way sends it; whatever goes wrong is its outcome."""
        outcome: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        try:
            if batch.items:
                outcome = await self._way.send(batch.items)
            else:
                outcome.set_result(Outcome({}, ()))
        except (ConnectionError, HookledgerError) as error:
            outcome.set_exception(error)
        # Should nobody be left to look at it, it is not worth a word.
        outcome.add_done_callback(lambda done: done.cancelled() or done.exception())
        return outcome

    async def _settle_all(self) -> None:
        while (sent := await self._sent.get()) is not None:
            batch, coming = sent
            outcome = await self._outcome(batch, coming or await self._sending(batch))
            self._behind -= coming is None or coming.exception() is not None
            refused = batch.unsent + [(batch.places[index], reason) for index, reason in outcome.refused]
            for place, reason in sorted(refused):
                self._teller.refused(place, reason)
            self._teller.answered(outcome.counts, batch.read_bytes)
            self._room.release()

    async def _outcome(self, batch: _Batch[Item], coming: asyncio.Future[Outcome]) -> Outcome:
        """What becomes of a batch, however often it has to be sent."""
        loop = asyncio.get_running_loop()
        give_up_at: float | None = None
        again_s = 0.0
        while True:
            try:
                return await coming
            except (ConnectionError, OverloadedError) as error:
                give_up_at = give_up_at or loop.time() + FEED_PATIENCE_S
                if loop.time() >= give_up_at or self.is_stopped:
                    raise HookledgerError(str(error)) from None
                pause_s = error.retry_after_s if isinstance(error, OverloadedError) else again_s
                if pause_s:
                    self._teller.waits(str(error))
                again_s = AGAIN_S
            try:
                await asyncio.wait_for(self._stopped.wait(), pause_s)
            except TimeoutError:
                coming = await self._sending(batch)
