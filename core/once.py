"""What is said twice under one key is done once (`Idempotency-Key`).

The key is a claim in the unit of what was done, so it is taken exactly when that is recorded, and for ever. Saying it
again answers from what was recorded then; asking something else under the same key is a ConflictError. What records
nothing takes no key.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import Executor
from typing import Any, TypeVar

import msgspec

from core.clock import Clock, to_iso
from core.command_key import check_key
from core.errors import ConflictError, HookledgerError, OverloadedError
from core.ledger.fault import FAULTS
from core.ledger.keys import MasterKey
from core.ledger.read import Reader
from core.ledger.unit import Answer, Claim, Entry, Recorded, Unit
from core.ledger.writer import Writer
from core.model.command import Done

Response = TypeVar("Response")


class Asked:
    """A question, and the key that *who* asked it under."""

    def __init__(self, who: str, key: str, operation: str, question: bytes, at: int, stream: bytes) -> None:
        self.key = key
        self.claim = Claim(f"command:{who}", key)
        self.question = question
        self.is_recorded = False
        """Whether what was asked for is in the ledger because of this very call."""
        self._who, self._operation, self._at, self._stream = who, operation, at, stream

    def claiming(self, unit: Unit) -> Unit:
        """The unit with the key's claim, and the event that says what it was claimed for."""
        tenant = unit.entries[0].event.tenant
        done = Done(tenant, self._at, self._who, self._operation, self.question, len(unit.entries))
        bodies = tuple(body._replace(entry=body.entry + 1) for body in unit.bodies)
        return msgspec.structs.replace(
            unit, entries=[Entry(self._stream, 1, done), *unit.entries], claim=self.claim, bodies=bodies
        )


async def append(writer: Writer, unit: Unit, asked: Asked | None) -> Answer:
    """Append the one unit that a command comes to, under the key it was asked with, if it was."""
    if asked is None:
        (answer,) = await writer.append([unit])
        return answer
    (answer,) = await writer.append([asked.claiming(unit)])
    asked.is_recorded = type(answer) is int
    return answer


class Once:
    """Knows what was done under which key."""

    def __init__(
        self,
        writer: Writer,
        reader: Reader,
        executor: Executor,
        master_key: MasterKey,
        clock: Clock,
        random: Callable[[int], bytes],
    ) -> None:
        self._writer, self._reader, self._executor = writer, reader, executor
        self._master_key, self._clock, self._random = master_key, clock, random

    def asked(self, who: str, key: str, operation: str, request: msgspec.Struct) -> Asked:
        """A question under a key; InvalidInputError when that cannot be one."""
        check_key(key)
        now = self._clock.now_ms()
        stream = now.to_bytes(6, "big") + self._random(10)
        return Asked(who, key, operation, self._master_key.mark(_question(operation, request)), now, stream)

    async def do(
        self,
        asked: Asked,
        act: Callable[[Asked], Awaitable[Response]],
        again: Callable[[Sequence[Recorded]], Response],
    ) -> Response:
        """The answer of *act*, or, where it was done before under this key, that of *again*, from what was recorded.

        Whether it was is asked afterwards, where *act* recorded nothing: the ledger lets no unit have a key that is
        taken, and whoever looked before could be overtaken by somebody who does the same at the same time.
        """
        try:
            answer = await act(asked)
        except HookledgerError:
            recorded = None if asked.is_recorded else await self._recall(asked)
            if recorded is None:
                raise
        else:
            recorded = None if asked.is_recorded else await self._recall(asked)
            if recorded is None:
                return answer
        return again(recorded)

    async def _recall(self, asked: Asked) -> list[Recorded] | None:
        """What was recorded under this key; None: nothing was. ConflictError: something else was."""
        try:
            position = await self._writer.holder(asked.claim)
            if position is None:
                return None
            done = await self._read(range(position, position + 1))
            event = done[0].event
            assert isinstance(event, Done)
            if event.question != asked.question:
                raise ConflictError(
                    f"the key {asked.key!r} stands for something else, {event.operation} of {to_iso(event.at)}: "
                    "take a new key for a new question"
                )
            return await self._read(range(position + 1, position + 1 + event.count))
        except FAULTS as error:
            raise OverloadedError(f"what was done under this key cannot be read: {error}; try again") from None

    async def _read(self, positions: range) -> list[Recorded]:
        loop = asyncio.get_running_loop()
        found = await loop.run_in_executor(self._executor, self._reader.at, positions)
        return [found[position] for position in positions]


def _question(operation: str, request: Any) -> bytes:
    """What was asked, without what was left as it is by default: a field that a later version adds changes nothing."""
    said = {
        field.name: getattr(request, field.name)
        for field in msgspec.structs.fields(request)
        if getattr(request, field.name) != field.default
    }
    return msgspec.json.encode([operation, said], order="deterministic")
