"""What was sent can be shown again, to the byte, from the ledger alone: no plugin is installed when it is."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from ipaddress import ip_network
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from core.incoming import events_of
from core.ledger.keys import master_key
from core.ledger.read import Reader
from core.ledger.sqlite import SqliteRecorder
from core.loading import load_plugins
from core.model import webhook as webhook_events
from core.model.delivery import AttemptFailed, Created, Delivered
from core.model.portal_event import Received
from core.model.topics import Codec
from core.wire.again import headers_again, render_again
from delivery.addresses import AddressGuard
from delivery.lean_sender import LeanSender
from delivery.sender import Outcome, Target
from delivery.service import Service
from tests.delivery.outbox.stage import ScriptedSender, Stage
from tests.invented import InventedClock

TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


class RealSender(ScriptedSender):
    """The real sender, seen by the stage."""

    def __init__(self, clock: InventedClock) -> None:
        super().__init__(clock)
        self._lean = LeanSender(AddressGuard([ip_network("127.0.0.0/8")]))
        self.passing = 0

    def target(self, url: str, ssl: bool) -> Target:
        return self._lean.target(url, ssl)

    async def post(self, target: Target, head_lines: bytes, body: bytes) -> Outcome:
        self.requests.append((self._clock.now_ms(), target.url, {}))
        return await self._lean.post(target, head_lines, body)

    async def close(self) -> None:
        await self._lean.close()


class Receiver:
    """A real server that keeps each request, and turns the first attempt of every delivery to `/flaky` down."""

    def __init__(self) -> None:
        self.got: dict[tuple[str, int], tuple[bytes, dict[str, str]]] = {}

    async def take(self, request: web.Request) -> web.Response:
        body = await request.read()
        attempt = json.loads(body)["webhook"].get("retryCount", 0) + 1
        self.got[request.headers["webhook-id"], attempt] = body, dict(request.headers)
        failing = request.path == "/flaky" and attempt == 1
        return web.Response(status=503 if failing else 200, text="não" if failing else "ok")


@pytest.fixture(name="receiver")
async def _receiver() -> AsyncIterator[tuple[Receiver, str]]:
    receiver = Receiver()
    app = web.Application()
    app.router.add_post("/{path}", receiver.take)
    async with TestServer(app, host="127.0.0.1") as server:
        yield receiver, str(server.make_url("/"))


async def test_every_attempt_is_rendered_again(tmp_path: Path, receiver: tuple[Receiver, str]) -> None:
    """The bytes of every attempt, and its headers, come out of the ledger as the receiver got them."""
    kept, base = receiver
    stage = Stage(tmp_path / "data")
    await stage.service.office.close()
    stage.sender = RealSender(stage.clock)
    stage.service = Service(
        tmp_path / "data", environment={}, clock=stage.clock, alarms=stage.clock, sender=stage.sender,
        allow=[ip_network("127.0.0.0/8")], jitter=lambda: 0.0,
    )  # fmt: skip
    await stage.service.start()
    triggers = stage.service.office.plugins.triggers
    create = stage.service.office.webhooks.create
    await create(tenant="1", name='tout "é" <&>', url=f"{base}all", ssl=False, by=None)
    await create(tenant="1", name="flaky", url=f"{base}flaky", ssl=False, by="7d2f", secret="whsec_" + "c2VjcmV0" * 4)
    await create(tenant="1", name="one", url=f"{base}one", ssl=False, by=None, target="991")
    for number, registered in enumerate(triggers.values()):
        sample = {**registered.trigger.samples[0], "id": f"sample {number}", "tenant": "1"}
        if number % 2:
            sample["traceparent"] = TRACE
        await stage.service.office.intake.accept("1", events_of(json.dumps(sample).encode(), "1"), ("http", "test"))
    await stage.wait(60)
    await stage.service.stop()
    assert len(triggers) == 36
    assert len(kept.got) >= 36 * 3
    assert load_plugins(only=()).triggers == {}
    assert _rendered(tmp_path / "data") == {key: body for key, (body, _) in kept.got.items()}
    headers = _headers(tmp_path / "data")
    for key, (_, got) in kept.got.items():
        assert headers[key].items() <= got.items()
        assert ("traceparent" in headers[key]) == ("traceparent" in got)
    assert {got.get("traceparent") for _, got in kept.got.values()} == {TRACE, None}


def _attempts(data: Path):
    """All facts of each attempt: what `again` takes."""
    recorder = SqliteRecorder(data / "ledger.sqlite")
    reader = Reader(recorder, Codec())
    key = master_key({}, data, lambda _: b"", create=False)
    events = reader.after(0, 100_000)
    webhooks: dict[tuple[int, int], webhook_events.Webhook] = {}
    state: dict[bytes, webhook_events.Webhook] = {}
    received = {recorded.stream: recorded for recorded in events if isinstance(recorded.event, Received)}
    created = {recorded.stream: recorded for recorded in events if isinstance(recorded.event, Created)}
    for recorded in events:
        if recorded.event.__class__.__module__ == webhook_events.__name__:
            state[recorded.stream] = webhook_events.fold(
                state.get(recorded.stream), recorded.stream, recorded.version, recorded.position, recorded.event
            )
            webhooks[state[recorded.stream].number, recorded.version] = state[recorded.stream]
    so_far: dict[bytes, list] = {}
    for recorded in events:
        if isinstance(recorded.event, Delivered | AttemptFailed):
            attempt, first = recorded.event.attempt, created[recorded.stream]
            event = received[first.event.event]
            webhook = webhooks[first.event.webhook, attempt.webhook_version]
            secret = key.open(reader.secret(attempt.secret), webhook.id)
            payload = reader.bodies([event.position])[event.position].payload
            yield first, event.event, payload, webhook, so_far.setdefault(recorded.stream, []), attempt, secret
            so_far[recorded.stream].append(attempt)
    recorder.close()


def _rendered(data: Path) -> dict[tuple[str, int], bytes]:
    return {
        (first.stream.hex(), attempt.number): render_again(first.position, event, payload, webhook, before, attempt)
        for first, event, payload, webhook, before, attempt, _ in _attempts(data)
    }


def _headers(data: Path) -> dict[tuple[str, int], dict[str, str]]:
    return {
        (first.stream.hex(), attempt.number): dict(
            headers_again(
                first.stream, first.position, event, attempt,
                render_again(first.position, event, payload, webhook, before, attempt), secret,
            )
        )
        for first, event, payload, webhook, before, attempt, secret in _attempts(data)
    }  # fmt: skip
