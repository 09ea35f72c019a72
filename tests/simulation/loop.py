"""The event loop of a simulation: simloop's, with disks that take their time, and machines that die in the middle.

What simloop does not have is here, and all that knows its inside: threads of an executor as work that takes virtual
time and is lost when its machine dies; a death after which no line of the dead machine's code runs any more; servers
that know their port. The order in which ready callbacks run is asyncio's own, first come first served, or, where
`is_shuffled`, drawn by lot as simloop does, so that nothing relies on who is first; but nobody learns that a connection
is lost before they have seen what came on it, for aiohttp's server does rely on that.
"""

from __future__ import annotations

import asyncio
import contextvars
import socket
import traceback
from collections import Counter
from collections.abc import Callable
from random import Random
from typing import Any

from simloop import SimLoop
from simloop._loop import _host_of
from simloop._net import SimServer, _current_host

Disk = Callable[[str, str], tuple[float, Exception | None]]
"""How long a piece of work takes (seconds), and what it raises instead of being done: asked by the name of the
executor's threads, and by what is to be done."""


LOST = ("_SimStreamTransport._finish", "_SimStreamTransport._reset_arrived")
"""Callbacks that overtake nothing."""


class Loop(SimLoop):
    """One simulated network of machines."""

    def __init__(self, seed: int, disk: Disk, *, is_shuffled: bool, is_traced: bool = False) -> None:
        super().__init__(seed)
        self._disk = disk
        self._is_shuffled = is_shuffled
        self._dead: set[str] = set()
        self._threads: dict[Any, list[float]] = {}
        self._graves: list[Any] = []
        """What dead machines had. Where it was collected, what stands in `finally`s would run after all."""
        self._trap: tuple[str, int, Callable[[], None]] | None = None
        self.steps: Counter[str] = Counter()
        """Callbacks run, by machine."""
        self.faults: list[str] = []
        """What asyncio would have logged as an exception that nobody took."""
        if not is_traced:
            self._recorder.record = _not_recorded
        self.set_exception_handler(self._nobody_took)

    @property
    def now_s(self) -> float:
        """The true time, in seconds since the beginning."""
        return self._now

    def pause(self, wait_s: float) -> asyncio.Future[None]:
        """Virtual time passes: what `asyncio.sleep` is elsewhere."""
        woken: asyncio.Future[None] = self.create_future()
        self.call_later(wait_s, _answer, woken, None)
        return woken

    async def pause_by_chance(self, random: Random, mean_s: float, until_s: float) -> bool:
        """Some time passes, but not beyond *until_s*; whether there is time left."""
        await self.pause(min(random.expovariate(1 / mean_s), until_s - self._now))
        return self._now < until_s

    def _nobody_took(self, _: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        error = context.get("exception")
        where = "".join(traceback.format_tb(error.__traceback__)[-2:]) if error else ""
        self.faults.append(f"{context.get('message')}: {error or context.get('task')!r} {where}")

    # Which callback runs next, and whether its machine is alive.

    def _step(self) -> None:
        ready = self._ready
        if not ready:
            self._advance_clock()
        index = self._policy.choose(self._ready_views) if self._is_shuffled and len(ready) > 1 else 0
        if ready[index][1] in LOST:
            index = 0
        seq, label, handle, _ = ready.pop(index)
        host = _host_of(handle)
        if host in self._dead:
            self._graves.append(handle)
            return
        if handle.cancelled():
            return
        self.steps[host] += 1
        self._recorder.record("run", self._now, seq, label, host)
        handle._run()
        if self._trap is not None and host == self._trap[0]:
            self._spring()

    def trap(self, machine: str, steps: int, spring: Callable[[], None]) -> None:
        """Do something when so many more callbacks have run on a machine; one trap at a time."""
        self._trap = (machine, steps, spring)

    def _spring(self) -> None:
        assert self._trap is not None
        machine, steps, spring = self._trap
        self._trap = (machine, steps - 1, spring) if steps > 1 else None
        if steps <= 1:
            spring()

    # Executors.

    def run_in_executor(self, executor: Any, func: Callable[..., Any], *args: Any) -> asyncio.Future[Any]:
        """Do the work at once when a thread is free and the time it takes has passed; lost with its machine."""
        future: asyncio.Future[Any] = self.create_future()
        if _current_host.get() in self._dead:
            return future
        took_s, error = self._disk(executor._thread_name_prefix, getattr(func, "__qualname__", ""))
        free = self._threads.setdefault(executor, [0.0] * executor._max_workers)
        thread = min(range(len(free)), key=free.__getitem__)
        done = max(self._now, free[thread]) + took_s
        free[thread] = done
        self.call_later(done - self._now, self._work, future, func, args, error, took_s / 4)
        return future

    def _work(
        self, future: asyncio.Future[Any], func: Callable[..., Any], args: Any, error: Exception | None, after_s: float
    ) -> None:
        """The work is done at one moment, and known to be done at a later one: a machine may die in between."""
        if future.cancelled():
            return
        if error is not None:
            self.call_later(after_s, _fail, future, error)
            return
        try:
            result = func(*args)
        except Exception as raised:  # noqa: BLE001 - whoever waits gets it
            self.call_later(after_s, _fail, future, raised)
        else:
            self.call_later(after_s, _answer, future, result)

    # Servers and machines.

    async def create_server(self, protocol_factory: Any, host: Any = None, port: Any = None, **more: Any) -> Any:
        server = await super().create_server(protocol_factory, host, port, **more)
        server.__class__ = _Server
        return server

    def kill(self, machine: str, *, is_power_cut: bool) -> None:
        """Nothing of this machine runs from here on, not even what stands in its `finally`s.

        A killed process's connections are reset by its kernel; a power cut leaves the others in the dark.
        """
        self._dead.add(machine)
        net = self._net
        for key in [key for key in net._listeners if key[0] == machine]:
            self._graves.append(net._listeners.pop(key))
        for key, transport in list(net._streams.items()):
            if key[1] == machine:
                if not is_power_cut:
                    transport._send("rst")
                transport._closing = transport._closed = True
                net._drop_stream(*key)
                self._graves.append(transport)
        for connection in [connection for connection, made in net._pending.items() if made.local[0] == machine]:
            self._graves.append(net._pending.pop(connection))
        if is_power_cut:
            net._alive[machine] = False
            net._held = [packet for packet in net._held if machine not in (packet.src, packet.dst)]

    def is_dead(self, machine: str) -> bool:
        return machine in self._dead

    def lines(self) -> list[Any]:
        """All ends of connections."""
        return list(self._net._streams.values())

    def reset(self, end: Any) -> None:
        """Something on the way resets a connection: both ends are told."""
        net = self._net
        other = net._streams.get((end._conn, end._remote[0], end._remote[1]))
        for each in (end, other):
            if each is not None:
                context = contextvars.copy_context()
                context.run(_current_host.set, each._local[0])
                self.call_soon(each._reset_arrived, context=context)


class _Server(SimServer):
    """Says which port it listens on."""

    @property
    def sockets(self) -> tuple[Any, ...]:
        return (_Bound(self._net.address(self._host), self._port),)


class _Bound:
    """As much of a listening socket as is asked for."""

    family = socket.AF_INET

    def __init__(self, *address: Any) -> None:
        self._address = address

    def getsockname(self) -> tuple[Any, ...]:
        return self._address


def _not_recorded(*_: Any) -> None: ...


def _answer(future: asyncio.Future[Any], result: Any) -> None:
    if not future.done():
        future.set_result(result)


def _fail(future: asyncio.Future[Any], error: Exception) -> None:
    if not future.done():
        future.set_exception(error)
