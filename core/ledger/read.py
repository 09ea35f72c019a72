"""Read the ledger: recorded events by position, by stream, by landmark; bodies, secrets, commit times, snapshots.

Every call opens a state of its own on a pooled connection and blocks: call it in an executor, not in the loop.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from core.errors import LedgerError
from core.ledger.store import Recorder
from core.ledger.unit import Body, Recorded
from core.limits import READ_EVENTS_MAX
from core.model.topics import Codec


class Reader:
    """What is in the ledger, decoded."""

    def __init__(self, recorder: Recorder, codec: Codec) -> None:
        self.recorder = recorder
        self._decode = codec.decode

    def head(self) -> int:
        """Position of the newest recorded event; 0 for an empty ledger."""
        rows = self.recorder.rows("SELECT last FROM commits ORDER BY last DESC LIMIT 1")
        return rows[0][0] if rows else 0

    def after(self, position: int, limit: int = READ_EVENTS_MAX) -> list[Recorded]:
        """The next recorded events after *position*, at most *limit*, in order."""
        return self._recorded(
            "SELECT position, stream, version, topic, state FROM events WHERE position>? ORDER BY position LIMIT ?",
            (position, limit),
        )

    def landmarks(self, after: int = 0, limit: int = 2**62) -> list[Recorded]:
        """The events a start must know (webhooks, persons, groups, tokens, catalogue) after a position: all, or the
        next *limit*."""
        return self._recorded(
            "SELECT e.position, e.stream, e.version, e.topic, e.state FROM landmarks l"
            " JOIN events e ON e.position=l.position WHERE l.position>? ORDER BY l.position LIMIT ?",
            (after, limit),
        )

    def stream(self, stream: bytes) -> list[Recorded]:
        """One aggregate's events, in order; empty when there is no such stream."""
        return self._recorded(
            "SELECT position, stream, version, topic, state FROM events WHERE stream=? ORDER BY version", (stream,)
        )

    def at(self, positions: Iterable[int]) -> dict[int, Recorded]:
        """The events at these positions."""
        rows = self.recorder.rows_of(
            "SELECT position, stream, version, topic, state FROM events WHERE position IN ({})", positions
        )
        return {row[0]: self._one(*row) for row in rows}

    def streams(self, streams: Iterable[bytes]) -> dict[bytes, list[Recorded]]:
        """All events of these streams, each in its order; a stream that is not there is missing."""
        rows = self.recorder.rows_of(
            "SELECT position, stream, version, topic, state FROM events WHERE stream IN ({}) ORDER BY position", streams
        )
        found: dict[bytes, list[Recorded]] = {}
        for row in rows:
            found.setdefault(row[1], []).append(self._one(*row))
        return found

    def first_of(self, streams: Iterable[bytes]) -> dict[bytes, Recorded]:
        """The first event of each of these streams."""
        rows = self.recorder.rows_of(
            "SELECT position, stream, version, topic, state FROM events WHERE version=1 AND stream IN ({})", streams
        )
        return {row[1]: self._one(*row) for row in rows}

    def bodies(self, positions: Iterable[int]) -> dict[int, Body]:
        """What stands beside the events at these positions and was not forgotten; `entry` is 0."""
        rows = self.recorder.rows_of(
            "SELECT position, salt, data, payload FROM bodies WHERE position IN ({})", positions
        )
        return {position: Body(0, salt, data, payload) for position, salt, data, payload in rows}

    def payloads(self, positions: Iterable[int]) -> dict[int, bytes]:
        """What receivers get of the portal events at these positions, where that was not forgotten."""
        rows = self.recorder.rows_of(
            "SELECT position, payload FROM bodies WHERE payload IS NOT NULL AND position IN ({})", positions
        )
        return dict(rows)

    def have_payloads(self, positions: Iterable[int]) -> set[int]:
        """Those of these positions whose payload was not forgotten."""
        rows = self.recorder.rows_of(
            "SELECT position FROM bodies WHERE payload IS NOT NULL AND position IN ({})", positions
        )
        return {position for (position,) in rows}

    def secret(self, id: bytes) -> bytes | None:
        """A sealed secret; None when it was forgotten."""
        rows = self.recorder.rows("SELECT sealed FROM secrets WHERE id=?", (id,))
        return rows[0][0] if rows else None

    def committed_at(self, position: int) -> int | None:
        """When the commit that holds *position* was made, in milliseconds."""
        rows = self.recorder.rows("SELECT at FROM commits WHERE last>=? ORDER BY last LIMIT 1", (position,))
        return rows[0][0] if rows else None

    def as_of(self, at_ms: int) -> int:
        """Position of the last event committed not later than *at_ms*."""
        rows = self.recorder.rows("SELECT last FROM commits WHERE at<=? ORDER BY last DESC LIMIT 1", (at_ms,))
        return rows[0][0] if rows else 0

    def snapshot(self, name: str) -> tuple[int, bytes] | None:
        """A snapshot's position and state."""
        rows = self.recorder.rows("SELECT position, state FROM snapshots WHERE name=?", (name,))
        return rows[0] if rows else None

    def _recorded(self, sql: str, parameters: tuple[object, ...]) -> list[Recorded]:
        decode = self._decode
        rows = self.recorder.rows(sql, parameters)
        try:
            return [
                Recorded(position, stream, version, decode(topic, state))
                for position, stream, version, topic, state in rows
            ]
        except msgspec.DecodeError:
            return [self._one(*row) for row in rows]

    def _one(self, position: int, stream: bytes, version: int, topic: str, state: bytes) -> Recorded:
        try:
            return Recorded(position, stream, version, self._decode(topic, state))
        except msgspec.DecodeError as error:
            raise LedgerError(
                f"{self.recorder.path} is damaged: event {position} ({topic}) cannot be read ({error}); move it away, "
                "and `hookledger restore` the newest backup"
            ) from error
