"""A view that remembers which positions it has seen, and can be made to fail."""

from __future__ import annotations


class Seen:
    """A row for each event; `faults` are raised by `write`, one each time, before anything is written."""

    name = "seen/1"
    tables = ("CREATE TABLE IF NOT EXISTS seen_1 (position INTEGER PRIMARY KEY)",)

    def __init__(self, *faults):
        self.faults = list(faults)
        self.taken = []
        self.batches = []
        self.bodies = {}
        self._gathered = []

    def take(self, events, bodies):
        self.taken += [recorded.position for recorded in events]
        self._gathered += [recorded.position for recorded in events]
        self.bodies |= bodies

    def drain(self):
        batch, self._gathered = self._gathered, []
        return batch

    def write(self, connection, batch):
        connection.insert("seen_1", 1, batch)
        if self.faults:
            raise self.faults.pop(0)

    def written(self, batch):
        self.batches.append(batch)
