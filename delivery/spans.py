"""Spans by OpenTelemetry, told from recorded events: one trace from the portal's `traceparent` to the receiver.

Only who installs the extra `otel` and sets `OTEL_…` ever imports this. Ids of attempts' spans are derived, not drawn,
so that the header a receiver got can be shown again. Exporting is the SDK's, in a thread of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib.metadata import entry_points, version
from typing import Any

from opentelemetry.context import Context
from opentelemetry.sdk.resources import SERVICE_NAME, SERVICE_VERSION, Resource
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.sdk.trace.sampling import Decision
from opentelemetry.trace import (
    NonRecordingSpan,
    Span,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    format_span_id,
    format_trace_id,
    set_span_in_context,
)
from yarl import URL

from core.directory import Directory
from core.errors import InvalidInputError
from core.ledger.tail import Segment
from core.ledger.unit import Recorded
from core.limits import TRACES_FLUSH_S
from core.model import delivery
from core.model.portal_event import Received
from core.wire.trace import span_of

EXPORTERS = "opentelemetry_traces_exporter"
"""The entry-point group that exporters are found by, as the SDK itself finds them."""
MS = 1_000_000
"""Nanoseconds."""


def provider(environment: Mapping[str, str], processor: SpanProcessor | None = None) -> TracerProvider:
    """What makes spans, sampled and named as `OTEL_…` say, and exported as they say if there is no *processor*."""
    named = "OTEL_SERVICE_NAME" in environment or "service.name=" in environment.get("OTEL_RESOURCE_ATTRIBUTES", "")
    ours = {SERVICE_VERSION: version("hookledger")} | ({} if named else {SERVICE_NAME: "hookledger"})
    made = TracerProvider(resource=Resource.create(ours), id_generator=_Ids(), shutdown_on_exit=False)
    made.add_span_processor(processor or BatchSpanProcessor(_exporter(environment)))
    return made


def _exporter(environment: Mapping[str, str]) -> SpanExporter:
    name = environment.get("OTEL_TRACES_EXPORTER") or "otlp"
    if name == "otlp":
        protocol = environment.get("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL") or environment.get(
            "OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf"
        )
        name = "otlp_proto_grpc" if protocol == "grpc" else "otlp_proto_http"
    found = next(iter(entry_points(group=EXPORTERS, name=name)), None)
    if found is None:
        raise InvalidInputError(f"no exporter {name!r} of traces is installed: look at OTEL_TRACES_EXPORTER")
    made: SpanExporter = found.load()()
    return made


class _Ids(RandomIdGenerator):
    """Random ids, but for a span whose id is known."""

    def __init__(self) -> None:
        self.known: int | None = None

    def generate_span_id(self) -> int:
        known, self.known = self.known, None
        return super().generate_span_id() if known is None else known


class Accept:
    """The span of one request."""

    def __init__(self, span: Span, context: str | None, now_ms: Callable[[], int]) -> None:
        """*context* is the portal's, which goes on as it is where this request is not sampled."""
        self._span, self.context, self._now_ms = span, context, now_ms
        if span.is_recording():
            said = span.get_span_context()
            self.context = f"00-{format_trace_id(said.trace_id)}-{format_span_id(said.span_id)}-01"

    def end(self, status: int | None, error: str | None) -> None:
        if status is not None:
            self._span.set_attribute("http.response.status_code", status)
        if error is not None:
            self._span.set_attribute("error.type", error)
            self._span.set_status(StatusCode.ERROR)
        self._span.end(self._now_ms() * MS)


class Spans:
    """Makes spans of requests, and of what comes out of the ledger; the port is core/tracing.py."""

    def __init__(self, provider: TracerProvider, now_ms: Callable[[], int]) -> None:
        self._provider = provider
        ids = provider.id_generator
        assert isinstance(ids, _Ids)
        self._ids = ids
        self._tracer = provider.get_tracer("hookledger", version("hookledger"))
        self._now_ms = now_ms
        self._directory = Directory()
        self._under_way: Callable[[int], tuple[Received, int] | None] = lambda _: None

    def watch(self, directory: Directory, under_way: Callable[[int], tuple[Received, int] | None]) -> None:
        self._directory, self._under_way = directory, under_way

    def accept(self, context: str | None) -> Accept:
        parent = Context() if context is None else _parent(context)
        attributes = {"http.request.method": "POST", "http.route": "/api/ledger/events"}
        begun = self._now_ms() * MS
        span = self._tracer.start_span("accept", parent, SpanKind.SERVER, attributes, start_time=begun)
        return Accept(span, context, self._now_ms)

    def takes_part(self, context: str) -> bool:
        trace = int(context[3:35], 16)
        asked = self._provider.sampler.should_sample(_parent(context), trace, "attempt", SpanKind.CLIENT)
        return asked.decision is Decision.RECORD_AND_SAMPLE

    def follow(self, segment: Segment) -> None:
        commits: dict[str, tuple[int, int]] = {}
        for recorded in segment.events:
            event: Any = recorded.event
            match event:
                case Received(traceparent=str(context)):
                    begun, count = commits.get(context, (event.at, 0))
                    commits[context] = begun, count + 1
                case delivery.Delivered() | delivery.AttemptFailed() | delivery.LateAttempt():
                    if event.attempt.traced:
                        self._attempt(recorded)
        now = self._now_ms()
        for context, (begun, count) in commits.items():
            self._span("commit", context, begun, now, {"hookledger.events": count})

    def _attempt(self, recorded: Recorded) -> None:
        event: Any = recorded.event
        found, attempt = self._under_way(event.number), event.attempt
        if found is None or found[0].traceparent is None:
            return
        received, due = found
        context = found[0].traceparent
        ids = {
            "hookledger.delivery": event.number,
            "hookledger.delivery_id": recorded.stream.hex(),
            "hookledger.webhook": event.webhook,
            "hookledger.attempt": attempt.number,
            "hookledger.portal_event_id": received.id,
            "hookledger.trigger": received.trigger or received.type,
        }
        self._span("wait", context, min(due, attempt.started), attempt.started, ids)
        self._ids.known = int(span_of(recorded.stream, attempt.number), 16)
        ids |= {"http.request.method": "POST", **self._receiver(event.webhook)}
        if attempt.status is not None:
            ids["http.response.status_code"] = attempt.status
        fault = None if isinstance(event, delivery.Delivered) else attempt.reason
        ended = attempt.started + attempt.took
        self._span("attempt", context, attempt.started, ended, ids, SpanKind.CLIENT, fault)

    def _receiver(self, number: int) -> dict[str, Any]:
        """Host and port; what follows them in a URL may be a secret."""
        webhook = self._directory.by_number.get(number)
        url = None if webhook is None else URL(webhook.url)
        return {} if url is None else {"server.address": url.host or "", "server.port": url.port or 0}

    def _span(
        self,
        name: str,
        context: str,
        begun_ms: int,
        ended_ms: int,
        attributes: Mapping[str, Any],
        kind: SpanKind = SpanKind.INTERNAL,
        fault: str | None = None,
    ) -> None:
        span = self._tracer.start_span(name, _parent(context), kind, attributes, start_time=begun_ms * MS)
        self._ids.known = None
        if fault is not None:
            span.set_status(Status(StatusCode.ERROR, fault))
        span.end(max(begun_ms, ended_ms) * MS)

    def close(self) -> None:
        self._provider.force_flush(round(TRACES_FLUSH_S * 1_000))
        self._provider.shutdown()


def _parent(context: str) -> Context:
    """The context as the SDK has it, of a span that is somebody else's."""
    _, trace, parent, flags = context.split("-")
    remote = SpanContext(int(trace, 16), int(parent, 16), is_remote=True, trace_flags=TraceFlags(int(flags, 16)))
    return set_span_in_context(NonRecordingSpan(remote), Context())
