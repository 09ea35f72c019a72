"""What the service gives to its threads, run one job at a time on the test's own thread, in the order the test says.

A job is done in two steps, as with threads: it runs, and later the loop hears of it. What happens between two jobs that
run at once is then no luck, but a choice of the test that can be made again.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from concurrent.futures import Executor, Future
from random import Random


class Job:
    """A call, and whoever waits for what becomes of it."""

    def __init__(self, name: str, call: Callable[[], object]) -> None:
        self.name = name
        self._call = call
        self.future: Future = Future()
        self._tell: Callable[[], None] | None = None

    @property
    def has_run(self) -> bool:
        return self._tell is not None

    def run(self) -> None:
        try:
            result = self._call()
        except BaseException as error:  # noqa: BLE001 - whatever a thread raises is its waiter's
            raised = error
            self._tell = lambda: self.future.set_exception(raised)
        else:
            self._tell = lambda: self.future.set_result(result)

    def tell(self) -> None:
        if self.future.set_running_or_notify_cancel():
            self._tell()


class TurnedExecutor(Executor):
    """An executor whose threads move only when the test turns them."""

    def __init__(self, threads: int) -> None:
        self._threads = threads
        self.is_stopped = False
        """No job runs."""
        self.mute: set[str] = set()
        """Names of functions that run, and nobody hears of it."""
        self._waiting: deque[Job] = deque()
        self._ran: list[Job] = []
        self._is_shut = self.is_dead = False

    def submit(self, call, /, *args):
        if self._is_shut:
            raise RuntimeError("cannot schedule new futures after shutdown")
        job = Job(call.__name__, lambda: call(*args))
        if not self.is_dead:
            self._waiting.append(job)
        return job.future

    def shutdown(self, wait=True, *, cancel_futures=False):
        self.free()
        while self.turn(Random(0)):
            pass
        self._is_shut = True

    def free(self) -> None:
        """Everything runs, and is heard of."""
        self.is_stopped, self.mute = False, set()

    def turn(self, random: Random) -> bool:
        """One step of one job, if there is any."""
        steps = []
        if self._waiting and len(self._ran) < self._threads and not self.is_stopped:
            steps.append(self._run)
        if any(job.name not in self.mute for job in self._ran):
            steps.append(self._tell)
        if not steps:
            return False
        random.choice(steps)(random)
        return True

    def _run(self, random: Random) -> None:
        job = self._waiting.popleft()
        job.run()
        self._ran.append(job)

    def _tell(self, random: Random) -> None:
        job = random.choice([job for job in self._ran if job.name not in self.mute])
        self._ran.remove(job)
        job.tell()

    def die(self) -> None:
        """The process was killed: what has not run never will, and nobody hears of what has."""
        self.is_dead = True
        self._waiting.clear()
        self._ran.clear()


class Jobs:
    """All executors of one service."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self._executors: dict[str, TurnedExecutor] = {}

    def __getitem__(self, name: str) -> TurnedExecutor:
        return self._executors[name]

    def executor(self, threads: int, name: str) -> TurnedExecutor:
        """Stands where an office makes a ThreadPoolExecutor."""
        made = self._executors[name] = TurnedExecutor(threads)
        return made

    def turn(self) -> bool:
        """One step of any job; whether there was one."""
        executors = list(self._executors.values())
        self._random.shuffle(executors)
        return any(executor.turn(self._random) for executor in executors)

    def free(self) -> None:
        for executor in self._executors.values():
            executor.free()

    def die(self) -> None:
        for executor in self._executors.values():
            executor.die()
        self._executors.clear()


async def let_run() -> None:
    """Let everything that is ready on the loop have its turn once."""
    turned: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    asyncio.get_running_loop().call_soon(turned.set_result, None)
    await turned
