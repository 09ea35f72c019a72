"""One trace from the portal's `traceparent` to the receiver's request, through spans that are told from the ledger."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import ClientSession, web
from aiohttp.test_utils import TestClient, TestServer
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, format_span_id, format_trace_id

from core.web import app
from core.wire.trace import span_of
from delivery.sender import Answered, Outcome, Target
from delivery.service import Service
from delivery.spans import Spans, provider
from tests.delivery.outbox.stage import OK, ScriptedSender, Stage
from tests.end_to_end.place import ALLOW, a_portal_event
from tests.tidy.tree import ROOT
from tests.watch.collector import Collector

TRACE, PORTAL = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
HEADER = f"00-{TRACE}-{PORTAL}-01"


class Told(ScriptedSender):
    """Keeps the `traceparent` of each request."""

    def __init__(self, clock) -> None:
        super().__init__(clock)
        self.told: list[str | None] = []

    async def post(self, target: Target, head_lines: bytes, body: bytes) -> Outcome:
        lines = dict(line.split(": ", 1) for line in head_lines.decode().splitlines())
        self.told.append(lines.get("traceparent"))
        return await super().post(target, head_lines, body)


class Traced(Stage):
    """A stage with spans, or, as long as *exporter* is None, without."""

    def __init__(self, data: Path) -> None:
        super().__init__(data)
        self.exporter: InMemorySpanExporter | None = None

    def _made(self) -> Service:
        self.sender, before = Told(self.clock), self.sender
        self.sender.answer = before.answer
        exporter = getattr(self, "exporter", None)
        tracing = None
        if exporter is not None:
            tracing = Spans(provider({}, SimpleSpanProcessor(exporter)), self.clock.now_ms)
        return Service(
            self.data, environment={}, clock=self.clock, alarms=self.clock, sender=self.sender, jitter=lambda: 0.0,
            tracing=tracing,
        )  # fmt: skip

    async def publish(self, *events: dict, traceparent: str | tuple[str, ...] | None = HEADER) -> None:
        """Over HTTP, with this header, or these."""
        application = app.build(self.service.office, self.service.readiness)
        _, token = await self.service.office.tokens.create(tenant="1", role="portal", user=None, by=None)
        said = (traceparent,) if isinstance(traceparent, str) else traceparent or ()
        headers = [("Authorization", f"Bearer {token}"), *(("traceparent", one) for one in said)]
        async with TestClient(TestServer(application, host="127.0.0.1")) as client:
            answer = await client.post("/api/ledger/events", json=list(events), headers=headers)
            assert answer.status == 200
        await self.quiet()

    def spans(self) -> dict[str, list[ReadableSpan]]:
        found: dict[str, list[ReadableSpan]] = {}
        for span in self.exporter.get_finished_spans():
            found.setdefault(span.name, []).append(span)
        return found


@pytest.fixture(name="stage")
async def _stage(tmp_path: Path) -> AsyncIterator[Traced]:
    stage = Traced(tmp_path / "data")
    await stage.service.start()
    await stage.webhook("one")
    yield stage
    await stage.service.stop()


@pytest.fixture(name="traced")
async def _traced(stage: Traced) -> Traced:
    """The same, with spans from here on."""
    stage.exporter = InMemorySpanExporter()
    await stage.restart()
    return stage


def ids(span: ReadableSpan) -> tuple[str, str, str | None]:
    """Its trace, itself, its parent."""
    parent = None if span.parent is None else format_span_id(span.parent.span_id)
    return format_trace_id(span.context.trace_id), format_span_id(span.context.span_id), parent


async def test_one_trace_from_the_portal_to_the_receiver(traced):
    """The portal's span, accept below it, all others below that; the receiver is told of its own attempt."""
    answers = iter([Answered(500, (), b"", False), OK])
    traced.sender.answer = lambda _url, _body: next(answers)
    await traced.publish(a_portal_event("e1"))
    await traced.wait(60)
    spans = traced.spans()
    assert {name: len(some) for name, some in spans.items()} == {"accept": 1, "commit": 1, "wait": 2, "attempt": 2}
    (accept,) = spans["accept"]
    assert ids(accept)[0::2] == (TRACE, PORTAL)
    for span in (*spans["commit"], *spans["wait"], *spans["attempt"]):
        assert ids(span)[0::2] == (TRACE, ids(accept)[1]), span.name
    assert traced.sender.told == [f"00-{TRACE}-{ids(attempt)[1]}-01" for attempt in spans["attempt"]]
    failed, delivered = spans["attempt"]
    assert (failed.kind, failed.status.is_ok, delivered.status.is_unset) == (SpanKind.CLIENT, False, True)
    assert failed.attributes["http.response.status_code"] == 500
    assert failed.attributes["server.address"] == "receiver.example"
    assert [attempt.attributes["hookledger.attempt"] for attempt in spans["attempt"]] == [1, 2]
    assert ids(failed)[1] == span_of(bytes.fromhex(failed.attributes["hookledger.delivery_id"]), 1)
    assert delivered.start_time - failed.end_time == 5_000_000_000
    assert not [value for span in (failed, delivered) for value in span.attributes.values() if "://" in str(value)]


async def test_without_a_trace_of_the_portal_ours_begins_it(traced):
    """Where nobody traced it before, the trace begins with the request that brought it."""
    await traced.publish(a_portal_event("e1"), traceparent=None)
    spans = traced.spans()
    trace, accept, parent = ids(spans["accept"][0])
    assert parent is None
    assert ids(spans["attempt"][0])[0::2] == (trace, accept)
    assert traced.sender.told == [f"00-{trace}-{ids(spans['attempt'][0])[1]}-01"]


async def test_what_the_portal_does_not_sample_has_no_spans(traced):
    """Its trace goes on to the receiver as it came."""
    unsampled = HEADER[:-1] + "0"
    await traced.publish(a_portal_event("e1"), traceparent=unsampled)
    assert traced.spans() == {}
    assert traced.sender.told == [unsampled]


async def test_an_events_own_trace_comes_before_the_requests(traced):
    """A member `traceparent`, as a CloudEvent has it, is the event's; the request's is for those without."""
    own = f"00-{'a' * 32}-{'b' * 16}-01"
    await traced.publish(a_portal_event("e1", traceparent=own), a_portal_event("e2"))
    attempts = {span.attributes["hookledger.portal_event_id"]: ids(span) for span in traced.spans()["attempt"]}
    assert attempts["e1"][0::2] == ("a" * 32, "b" * 16)
    assert attempts["e2"][0] == TRACE
    assert len(traced.spans()["commit"]) == 2


async def test_a_trace_outlives_the_process(stage):
    """What was accepted before the restart, without spans, is retried in its trace after it, with spans."""
    stage.sender.answer = lambda _url, _body: Answered(500, (), b"", False)
    await stage.publish(a_portal_event("e1"))
    assert stage.sender.told == [HEADER]
    stage.exporter = InMemorySpanExporter()
    await stage.restart()
    await stage.wait(10)
    (attempt,) = stage.spans()["attempt"]
    assert ids(attempt)[0::2] == (TRACE, PORTAL)
    assert stage.sender.told == [f"00-{TRACE}-{ids(attempt)[1]}-01"]
    stage.exporter = None
    await stage.restart()
    await stage.wait(3600)
    assert set(stage.sender.told) == {HEADER}


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (HEADER, HEADER),
        (None, None),
        ("00-nonsense", None),
        (f"00-{TRACE.upper()}-{PORTAL}-01", None),
        ((HEADER, HEADER), None),
    ],
)
async def test_without_spans_the_portals_trace_is_passed_on(stage, said, told):
    """As it is, if it is one; what is none is ignored, and the event accepted."""
    await stage.publish(a_portal_event("e1"), traceparent=said)
    assert stage.sender.told == [told]


CLOUD_EVENT = {
    "specversion": "1.0", "id": "e1", "source": "/portals/1", "type": "file.created", "readers": "everyone",
    "traceparent": HEADER,
}  # fmt: skip


@pytest.mark.parametrize("mode", ["structured", "binary"])
async def test_a_cloud_event_brings_its_trace(stage, mode):
    """The extension attribute `traceparent`, in whatever mode the event comes."""
    application = app.build(stage.service.office, stage.service.readiness)
    _, token = await stage.service.office.tokens.create(tenant="1", role="portal", user=None, by=None)
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    data = a_portal_event()["data"]
    body = CLOUD_EVENT | {"data": data}
    if mode == "structured":
        headers["Content-Type"] = "application/cloudevents+json"
    else:
        headers |= {f"ce-{name}": value for name, value in CLOUD_EVENT.items()}
        body = data
    async with TestClient(TestServer(application, host="127.0.0.1")) as client:
        answer = await client.post("/api/ledger/events", data=json.dumps(body), headers=headers)
        assert answer.status == 200, await answer.text()
    await stage.quiet()
    assert stage.sender.told == [HEADER]


@pytest.fixture(name="collector")
async def _collector() -> AsyncIterator[Collector]:
    collector = Collector()
    application = web.Application()
    application.router.add_post("/v1/traces", collector.take)
    async with TestServer(application, host="127.0.0.1") as server:
        collector.url = str(server.make_url("/")).rstrip("/")
        yield collector


async def test_a_real_process_exports_to_a_real_collector(place, receiver, collector):
    """With OpenTelemetry's own variables set, spans come over OTLP, and the receiver's parent is among them."""
    place.environment |= {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url, "OTEL_BSP_SCHEDULE_DELAY": "50"}
    serving = await place.serve(*ALLOW)
    await place.webhook(f"{receiver.url}/path?key=hidden")
    headers = {"Authorization": f"Bearer {await place.token()}", "traceparent": HEADER}
    async with ClientSession(serving.url, headers=headers) as session:
        assert (await session.post("/api/ledger/events", json=a_portal_event())).status == 200
    post = await receiver.next()
    spans = {span.name: span for span in await collector.until(4)}
    assert set(spans) == {"accept", "commit", "wait", "attempt"}
    assert {span.trace for span in spans.values()} == {TRACE}
    assert {span.service for span in spans.values()} == {"hookledger"}
    assert spans["accept"].parent == PORTAL
    assert {spans[name].parent for name in ("commit", "wait", "attempt")} == {spans["accept"].id}
    assert post.headers["traceparent"] == f"00-{TRACE}-{spans['attempt'].id}-01"
    assert "hidden" not in str(spans)
    told = await place.until(spans["attempt"].attributes["hookledger.delivery"], "delivered")
    assert ("traceparent", post.headers["traceparent"]) in told.steps[0].request.headers
    assert await serving.stop() == 0


async def test_a_collector_that_is_gone_stops_nobody(place, receiver):
    """Deliveries go on, and the process ends in time."""
    place.environment |= {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9"}
    serving = await place.serve(*ALLOW)
    await place.webhook(receiver.url)
    async with ClientSession(serving.url, headers={"Authorization": f"Bearer {await place.token()}"}) as session:
        assert (await session.post("/api/ledger/events", json=a_portal_event())).status == 200
    await receiver.next()
    assert await serving.stop() == 0


def test_nothing_is_imported_that_nobody_asked_for():
    """The whole service is there without a module of OpenTelemetry."""
    code = (
        "import sys, delivery.serve, hookledger, core.commands.table\n"
        "assert delivery.serve._tracing({}) is None\n"
        "assert delivery.serve._tracing({'OTEL_TRACES_EXPORTER': 'none', 'OTEL_EXPORTER_OTLP_ENDPOINT': 'x'}) is None\n"
        "assert delivery.serve._tracing({'OTEL_SDK_DISABLED': 'true', 'OTEL_EXPORTER_OTLP_ENDPOINT': 'x'}) is None\n"
        "print([name for name in sys.modules if name.startswith('opentelemetry')])\n"
    )
    ran = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert ran.stdout == "[]\n"


def test_without_the_extra_it_says_what_is_missing():
    """Who asks for traces and has not installed what makes them is told; the service goes on without."""
    code = (
        "import sys, delivery.serve\n"
        "sys.modules['opentelemetry'] = None\n"
        "delivery.serve.find_spec = lambda name: None\n"
        "assert delivery.serve._tracing({'OTEL_EXPORTER_OTLP_ENDPOINT': 'http://x'}) is None\n"
    )
    ran = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert "pip install 'hookledger[otel]'" in ran.stderr
