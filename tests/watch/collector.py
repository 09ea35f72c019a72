"""A collector of spans: takes OTLP over HTTP on loopback, as any backend does, and keeps what came."""

from __future__ import annotations

import asyncio
from typing import NamedTuple

from aiohttp import web
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

DEADLINE_S = 20


class Exported(NamedTuple):
    """One span as it came over the wire; ids in hex."""

    name: str
    trace: str
    id: str
    parent: str
    service: str
    attributes: dict[str, object]


class Collector:
    """Listens on a free port."""

    def __init__(self) -> None:
        self.spans: list[Exported] = []
        self.url = ""
        self._came = asyncio.Condition()

    async def take(self, request: web.Request) -> web.Response:
        asked = ExportTraceServiceRequest.FromString(await request.read())
        for of_resource in asked.resource_spans:
            (service,) = [
                one.value.string_value for one in of_resource.resource.attributes if one.key == "service.name"
            ]
            for span in (span for scope in of_resource.scope_spans for span in scope.spans):
                attributes = {one.key: getattr(one.value, one.value.WhichOneof("value")) for one in span.attributes}
                ids = span.trace_id.hex(), span.span_id.hex(), span.parent_span_id.hex()
                self.spans.append(Exported(span.name, *ids, service, attributes))
        async with self._came:
            self._came.notify_all()
        return web.Response(
            body=ExportTraceServiceResponse().SerializeToString(), content_type="application/x-protobuf"
        )

    async def until(self, count: int) -> list[Exported]:
        """All spans, once there are so many."""
        async with asyncio.timeout(DEADLINE_S), self._came:
            await self._came.wait_for(lambda: len(self.spans) >= count)
        return self.spans
