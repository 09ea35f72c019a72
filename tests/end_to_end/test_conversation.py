"""Many operations asked of one `serve`: in order, before the answer of the first has come, and with its errors."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager

import msgspec
import pytest
from aiohttp import web

from core.conversation import conversation
from core.errors import HookledgerError, NotFoundError, OverloadedError
from core.ledger.store import Place
from core.operations.operation import Operation
from core.operator import Ledger, ask_serve
from core.operator_socket import ORDERED_HEADER, socket_address
from core.web import operator
from core.web.operator import OperatorSite
from tests.builders import WAIT_S, open_office


class Asked(msgspec.Struct):
    number: int


class Clerk:
    """Runs an operation that waits until it may go on, and fails as the test wants."""

    def __init__(self):
        self.begun, self.done, self.may_go_on, self.error = [], [], asyncio.Event(), None
        self.operation = Operation("slow", Asked, int, self._run)

    async def _run(self, _, asked):
        self.begun.append(asked.number)
        await self.may_go_on.wait()
        if self.error is not None:
            raise self.error
        self.done.append(asked.number)
        return asked.number * 10


@asynccontextmanager
async def serving(data, *operations):
    """A socket in *data*, and somebody who talks with whoever listens there."""
    office = open_office(data)
    await office.start()
    runner = web.AppRunner(operator.build(office, {one.name: one for one in operations}))
    await runner.setup()
    await OperatorSite(runner, data).start()
    try:
        async with conversation(Ledger(Place(data), {}, None), begins=False) as there, asyncio.timeout(WAIT_S):
            yield there
    finally:
        await runner.cleanup()
        await office.close()


async def test_who_asks_for_several_knows_their_order(tmp_path):
    """An operation has begun when it is told so, though its answer is still to come."""
    clerk = Clerk()
    async with serving(tmp_path, clerk.operation) as there:
        answers = []
        for number in range(5):
            answers.append(await there.begin(clerk.operation, Asked(number)))
            assert clerk.begun == list(range(number + 1))
        assert not any(answer.done() for answer in answers)
        clerk.may_go_on.set()
        assert await asyncio.gather(*answers) == [0, 10, 20, 30, 40]


async def test_who_goes_away_has_it_done_all_the_same(tmp_path, caplog):
    """An operation that has begun is not ended by its asker, and is nothing to be logged."""
    clerk = Clerk()
    async with serving(tmp_path, clerk.operation):
        with socket_address(tmp_path) as address:
            reader, writer = await asyncio.open_unix_connection(address)
        body = msgspec.json.encode(Asked(1))
        head = f"POST /operator/slow HTTP/1.1\r\nHost: x\r\n{ORDERED_HEADER}: 1\r\nContent-Length: {len(body)}\r\n\r\n"
        writer.write(head.encode() + body)
        assert (await reader.readline()).startswith(b"HTTP/1.1 200")
        writer.transport.abort()
        clerk.may_go_on.set()
        assert await ask_serve(tmp_path, clerk.operation, Asked(2)) == 20
    assert clerk.done == [1, 2]
    assert caplog.text == ""


@pytest.mark.parametrize(
    ("error", "kind", "words"),
    [
        (OverloadedError("full", limit="INTAKE_EVENTS_MAX"), OverloadedError, "full"),
        (NotFoundError("no such thing"), NotFoundError, "no such thing"),
        (ZeroDivisionError("oops"), HookledgerError, "a fault of ours; it is in the log"),
    ],
)
async def test_errors_that_come_after_the_head_are_what_they_were(tmp_path, error, kind, words):
    """With their class, words and limit; of a bug nothing is told but that there is one."""
    clerk = Clerk()
    clerk.error = error
    clerk.may_go_on.set()
    async with serving(tmp_path, clerk.operation) as there:
        for coming in (await there.begin(clerk.operation, Asked(1)), ask_serve(tmp_path, clerk.operation, Asked(1))):
            with pytest.raises(kind) as raised:
                await coming
            assert (type(raised.value), str(raised.value)) == (kind, words)
            assert getattr(raised.value, "limit", None) == getattr(error, "limit", None)
