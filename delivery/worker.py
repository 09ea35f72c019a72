"""Take due deliveries off the broker, attempt them, record what happened."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from core.clock import Moment, moment
from core.errors import HookledgerError, OverloadedError
from core.ledger.fault import FAULTS
from core.ledger.unit import Answer, Body, Entry, Recorded, StaleStream, Unit, Unwritable
from core.log import Log
from core.model.delivery import AttemptFailed, Delivered, LateAttempt
from core.model.webhook import Webhook
from core.office import Office
from core.wire.body import WIRE, body_hash, render, retry_block
from core.wire.headers import head_lines
from core.wire.signature import Signer
from core.wire.trace import context_of_attempt
from delivery.broker import Issuer, Taking
from delivery.outcome import attempt_of, event_of, is_good, stands_in_the_way
from delivery.prepared import Prepared
from delivery.rows import Row
from delivery.schedule import SCHEDULE_S
from delivery.sender import Answered, Outcome, Sender, Unreached

log = Log("worker")

AGAIN_MS = 1_000
"""How long until what the disk did not take, or did not give, is tried again."""

SHORT_MS = 5 * AGAIN_MS
"""How long after this machine could not try a delivery, and no other since, it counts as not able to."""

IDLE_MAX = 128
"""Workers that wait for work; more than these go home."""


class Workers:
    """As many workers as there is work, each making one attempt after the other."""

    def __init__(
        self,
        office: Office,
        broker: Taking,
        dispatch: Issuer,
        sender: Sender,
        jitter: Callable[[], float],
        schedule_s: Sequence[int] = SCHEDULE_S,
        *,
        within_ms: int | None = None,
    ) -> None:
        """*within_ms*: what was handed out so long ago is not begun any more; None: however long ago."""
        self._within_ms = within_ms
        self._broker, self._dispatch, self._sender = broker, dispatch, sender
        self._directory, self._writer, self._reader = office.directory, office.writer, office.reader
        self._master_key, self._executor = office.master_key, office.reading
        self._clock, self._alarms, self._random = office.clock, office.alarms, office.random
        self._jitter, self._schedule_s, self._tracing = jitter, schedule_s, office.tracing
        self._prepared: dict[int, Prepared] = {}
        self._tasks: dict[asyncio.Task[None], None] = {}
        self._idle = 0
        self._is_free = False
        """The worker that runs just now has finished an attempt and takes the next row, if one comes of it."""
        self._is_stopped = False
        self._stale: dict[asyncio.Task[None], None] = {}
        self.unrecorded = 0
        """Outcomes that the ledger has not answered for good."""
        self._all_recorded: asyncio.Future[None] | None = None
        self._short: tuple[int, OverloadedError] | None = None
        self.on_recorded: Callable[[Unit], None] = lambda _unit: None
        """Called with an outcome that the ledger has."""

    def shortage(self) -> str | None:
        """What this machine has too little of to try deliveries just now; not what receivers can bring about."""
        short = self._is_short()
        return None if short is None or short.limit == "LOOKUPS_MAX" else str(short)

    def _is_short(self) -> OverloadedError | None:
        if self._short is None or not 0 <= self._clock.now_ms() - self._short[0] <= SHORT_MS:
            return None
        return self._short[1]

    def call(self) -> None:
        """A row found nobody waiting for it: see that somebody takes it."""
        if self._is_free:
            self._is_free = False
            return
        task = asyncio.create_task(self._work())
        self._tasks[task] = None
        task.add_done_callback(self._gone)

    def _gone(self, task: asyncio.Task[None]) -> None:
        self._tasks.pop(task)
        if not task.cancelled() and task.exception() is not None:
            log.say("worker.bug", task.exception())

    async def _work(self) -> None:
        broker = self._broker
        now: Moment | None = None
        while True:
            row = broker.take_now()
            self._is_free = False
            if row is None:
                now = None
                if self._idle >= IDLE_MAX:
                    return
                self._idle += 1
                try:
                    row = await broker.take()
                finally:
                    self._idle -= 1
            now = await self._attempt(row, now)

    async def _attempt(self, row: Row, now: Moment | None) -> Moment | None:
        """Begins at a moment that was just read, or reads one; so for what comes right after it."""
        while True:
            webhook = self._directory.by_number[row.webhook]
            started, began = now or moment(self._clock)
            is_too_late = self._within_ms is not None and began - row.handed_out_at > self._within_ms
            if is_too_late or not webhook.enabled or self._dispatch.lanes[row.webhook].held_until > started:
                self._dispatch.returned(row)
                return None
            prepared = self._prepared.get(row.webhook)
            if prepared is not None and prepared.webhook is webhook:
                break
            try:
                reason = await self._prepare(webhook)
            except FAULTS as error:
                log.say("secret.unreadable", webhook=webhook.number, error=error)
                self._writer.health.doubt()
                self._dispatch.returned(row, holds_until=started + AGAIN_MS)
                return None
            now = moment(self._clock)
            if reason is not None:
                return self._finish(row, webhook, Unreached(reason), now, b"")
        content = row.content
        assert content is not None
        retry = b""
        if row.attempt > 1:
            last_success = self._dispatch.lanes[row.webhook].last_success
            row.last_success = last_success
            retry = retry_block(row.attempt, started, row.failed_at, row.failure, last_success)
        target = prepared.target_block(content.received)
        body = render(row.number, content.head, content.payload, prepared.block, target, retry)
        trace = content.received.traceparent
        if trace is not None:
            row.traced = self._tracing is not None and self._tracing.takes_part(trace)
            trace = context_of_attempt(trace, row.delivery, row.attempt, traced=row.traced)
        lines = head_lines(row.delivery, row.number, content.created_on, started, body, prepared.signer, trace)
        try:
            outcome = await self._sender.post(prepared.target, lines, body)
        except OverloadedError as error:
            # Not the receiver's fault, and no attempt: the row waits until this machine may be able to.
            if str(self._is_short()) != str(error):
                log.say("worker.waits", webhook=webhook.number, error=error)
            self._short = started, error
            self._dispatch.returned(row, holds_until=started + AGAIN_MS)
            return None
        return self._finish(row, webhook, outcome, (started, began), body)

    async def _prepare(self, webhook: Webhook) -> str | None:
        """Make ready what the webhook's attempts share; why that cannot be, or None."""
        sealed = await asyncio.get_running_loop().run_in_executor(self._executor, self._reader.secret, webhook.secret)
        if sealed is None:
            return "its secret was forgotten"
        try:
            secret = self._master_key.open(sealed, webhook.id)
            target = self._sender.target(webhook.url, webhook.ssl)
        except HookledgerError as error:
            log.say("webhook.unusable", webhook=webhook.number, error=error)
            return str(error)
        self._prepared[webhook.number] = Prepared(webhook, target, Signer(secret))
        return None

    def _finish(self, row: Row, webhook: Webhook, outcome: Outcome, begun: Moment, body: bytes) -> Moment:
        """Say that an attempt came to its end, and record it; the moment that it ended."""
        now = moment(self._clock)
        salt = self._random(16) if isinstance(outcome, Answered) and outcome.body else b""
        attempt = attempt_of(
            outcome,
            number=row.attempt,
            started_ms=begun[0],
            took_ms=now[1] - begun[1],
            webhook_version=webhook.version,
            secret=webhook.secret,
            wire=WIRE,
            last_success=row.last_success if row.attempt > 1 else None,
            last_failure=row.failed_at,
            body_hash=body_hash(body),
            salt=salt,
            traced=row.traced,
        )
        event = event_of(
            outcome,
            attempt,
            tenant=webhook.tenant,
            webhook=webhook.number,
            number=row.number,
            ended_ms=now[0],
            schedule_s=self._schedule_s if webhook.schedule_s is None else webhook.schedule_s,
            jitter=self._jitter(),
        )
        bodies = (Body(0, salt, outcome.body),) if isinstance(outcome, Answered) and outcome.body else ()
        self._is_free = True
        holds_until = event.holds if isinstance(event, AttemptFailed) else None
        self._dispatch.finished(row, now, is_good=is_good(outcome), holds_until=holds_until)
        self.unrecorded += 1
        self._record(Unit([Entry(row.delivery, row.version + 1, event)], bodies=bodies))
        return now

    def _record(self, unit: Unit, *, again: bool = False) -> None:
        """Record an outcome; it is kept and offered again until the ledger has it, or the service stops."""

        def answered(answers: list[Answer] | HookledgerError) -> None:
            if isinstance(answers, HookledgerError):
                self._record_later(unit)
            elif isinstance(answers[0], StaleStream):
                task = asyncio.create_task(self._record_stale(unit))
                self._stale[task] = None
                task.add_done_callback(self._stale.pop)
            else:
                if isinstance(answers[0], Unwritable):
                    log.say("attempt.unwritable", delivery_id=unit.entries[0].stream.hex())
                self._done_with(unit)
            if again:
                self._dispatch.gate.open()

        self._writer.submit((unit,), answered)

    def _done_with(self, unit: Unit) -> None:
        self.unrecorded -= 1
        self.on_recorded(unit)
        if not self.unrecorded and self._all_recorded is not None:
            self._all_recorded.set_result(None)
            self._all_recorded = None

    def _record_later(self, unit: Unit) -> None:
        def again() -> None:
            if not self._is_stopped:
                self._record(unit, again=True)

        self._dispatch.gate.shut()
        self._alarms.after(AGAIN_MS, again)

    async def _record_stale(self, unit: Unit) -> None:
        """The delivery's stream went on without us: record what the outcome is by now."""
        ((stream, _, _),) = unit.entries
        try:
            loop = asyncio.get_running_loop()
            recorded = await loop.run_in_executor(self._executor, self._reader.stream, stream)
        except FAULTS as error:
            log.say("delivery.unreadable", error=error)
            self._writer.health.doubt()
            self._record_later(unit)
        else:
            if recorded:
                self._record(_after(unit, recorded))
            else:
                # Of a ledger that has lost its end since: there is nothing that this could be the outcome of.
                log.say("attempt.unwritable", delivery_id=stream.hex())
                self._done_with(unit)

    async def recorded(self) -> None:
        """Wait until the ledger has all that came of requests, however long it takes none of it."""
        while self.unrecorded:
            if self._all_recorded is None:
                self._all_recorded = asyncio.get_running_loop().create_future()
            await asyncio.shield(self._all_recorded)

    async def stop(self) -> None:
        """Send the workers home; what is under way must have ended before."""
        self._is_stopped = True
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, *self._stale, return_exceptions=True)


def _after(unit: Unit, recorded: Sequence[Recorded]) -> Unit:
    """An outcome after what its delivery's stream holds by now: itself, or a late attempt if the delivery has ended or
    this attempt's number is taken."""
    ((stream, _, event),) = unit.entries
    if isinstance(event, Delivered | AttemptFailed):
        number = event.attempt.number
        if any(stands_in_the_way(known.event, number) for known in recorded):
            event = LateAttempt(event.tenant, event.at, event.webhook, event.number, event.attempt)
    return Unit([Entry(stream, recorded[-1].version + 1, event)], bodies=unit.bodies)
