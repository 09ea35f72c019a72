"""Writes what is dead to its topic, cut where it would not fit."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain

from core.errors import OverloadedError
from core.log import Log
from delivery.dead.letter import Dead, letter, shorter
from delivery.kafka.records import Message, Outgoing, Refused

log = Log("inbox")


class Burial:
    """To one topic; *outgoing* is closed by whoever made it."""

    def __init__(self, outgoing: Outgoing, topic: str) -> None:
        self._outgoing, self.topic = outgoing, topic
        self.count = 0

    @property
    def fault(self) -> str | None:
        """Why the dead wait; None: they do not."""
        return self._outgoing.fault

    async def bury(self, waiting: list[Dead]) -> bool:
        """Take from *waiting* what the broker has. OverloadedError when there is something left; else True."""
        outcomes = await self._outgoing.send([letter(one, self.topic) for one in waiting])
        refused = {one: outcome for one, outcome in zip(waiting, outcomes, strict=True) if isinstance(outcome, Refused)}
        for one in list(waiting):
            if one not in refused:
                self._is_buried(one, waiting)
        for one, outcome in refused.items():
            # It may be for the size of another that both were refused: so as it is once more, then cut.
            if outcome.is_too_large and await self._fits(chain([letter(one, self.topic)], shorter(one, self.topic))):
                self._is_buried(one, waiting)
        if waiting:
            raise OverloadedError(refused[waiting[0]].reason)
        return True

    async def _fits(self, messages: Iterable[Message]) -> bool:
        """Send the first of these that is not too large; whether there is one."""
        for message in messages:
            (outcome,) = await self._outgoing.send([message])
            if not isinstance(outcome, Refused):
                return True
            if not outcome.is_too_large:
                return False
        return False

    def _is_buried(self, one: Dead, waiting: list[Dead]) -> None:
        waiting.remove(one)
        self.count += 1
        log.say("inbox.dead", offset=one.record.offset, partition=str(one.record.place), error=one.reason)
