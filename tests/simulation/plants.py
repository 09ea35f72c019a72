"""Bugs that are planted in the service's code, to see that the simulation finds them."""

from __future__ import annotations

import asyncio
import importlib
import inspect
import textwrap
from contextlib import nullcontext
from typing import Any, NamedTuple


class Plant(NamedTuple):
    """A piece of a function that becomes another: `where` is module:function or module:Class.function. `users` are
    modules that know the function by its name."""

    where: str
    now: str
    then: str
    users: tuple[str, ...] = ()


APPEND = "core.ledger.append:SqliteAppender.append"
ROWS = "core.ledger.sqlite:SqliteRecorder.rows"
ROWS_OF = "core.ledger.sqlite:SqliteRecorder.rows_of"

PLANTS = {
    "acknowledging-before-the-commit": (
        Plant(APPEND, 'self._connection.execute("COMMIT")', "commit_later(self._connection)"),
        Plant(
            APPEND,
            'self._connection.execute("BEGIN IMMEDIATE")\n    try:',
            'commit_now(self._connection)\n    self._connection.execute("BEGIN IMMEDIATE")\n    try:',
        ),
        Plant(ROWS, "self.reading()", "nullcontext(self.writing)"),
        Plant(ROWS_OF, "self.reading()", "nullcontext(self.writing)"),
    ),
    "a-window-off-by-one": (
        Plant(
            "delivery.dispatch:Dispatch.hand_out",
            "window.under_way >= window.size",
            "window.under_way > window.size",
        ),
    ),
    "a-retry-that-forgets-retry-after": (
        Plant(
            "delivery.schedule:next_attempt",
            "ended_ms + max(wait_ms, used_ms)",
            "ended_ms + wait_ms",
            ("delivery.outcome",),
        ),
    ),
    "a-condition-not-judged": (
        Plant("core.ledger.append:_Judged._refuse", "if condition is not None and (", "if False and ("),
    ),
    "a-row-read-again-from-disk": (Plant("delivery.outbox:Outbox.is_settled", "number in self.rows\n        or ", ""),),
    "a-redelivery-that-forgets-its-key": (
        Plant(
            "core.redelivery:Redeliveries._unit",
            "Unit([Entry(stream, 1, event)], _claim(old, ticket))",
            "Unit([Entry(stream, 1, event)])",
        ),
    ),
    "a-status-that-history-forgets": (
        Plant(
            "core.history:_move",
            "row.status, details.next_due = attempt.status, event.next",
            "details.next_due = event.next",
        ),
    ),
}
"""By name: the three that the simulation must find whatever changes, and one for each other kind of promise."""


def plant(name: str) -> None:
    """Change the code of this process, for good."""
    sources: dict[str, str] = {}
    for one in PLANTS[name]:
        holder, function = _found(one.where)
        source = sources.get(one.where) or textwrap.dedent(inspect.getsource(getattr(holder, function)))
        if source.count(one.now) != 1:
            raise LookupError(f"{one.where} has {one.now!r} {source.count(one.now)} times; plant {name} elsewhere")
        sources[one.where] = source.replace(one.now, one.then)
    for one in PLANTS[name]:
        _put(one, sources[one.where])


def _found(where: str) -> tuple[Any, str]:
    """What holds a function, and its name there."""
    module, _, path = where.partition(":")
    holder: Any = importlib.import_module(module)
    *classes, function = path.split(".")
    for name in classes:
        holder = getattr(holder, name)
    return holder, function


def _put(one: Plant, source: str) -> None:
    holder, function = _found(one.where)
    module = importlib.import_module(one.where.partition(":")[0])
    made: dict[str, Any] = {}
    names = {**vars(module), "commit_later": commit_later, "commit_now": commit_now, "nullcontext": nullcontext}
    exec(compile(f"from __future__ import annotations\n{source}", one.where, "exec"), names, made)
    setattr(holder, function, made[function])
    for user in one.users:
        setattr(importlib.import_module(user), function, made[function])


def commit_later(connection: Any) -> None:
    """Not yet; soon."""
    asyncio.get_running_loop().call_later(0.05, commit_now, connection)


def commit_now(connection: Any) -> None:
    if connection.in_transaction:
        connection.execute("COMMIT")
