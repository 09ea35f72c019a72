"""`GET /metrics`: what core.metrics lists, as Prometheus reads it, made of plain numbers when somebody asks."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from importlib.metadata import version

from aiohttp import web
from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from core.gauges import Sample, samples_of
from core.histogram import Histogram
from core.metrics import METRICS
from core.office import Office
from core.web.health import Readiness

_BEHIND = re.compile(r"[:,;]")

PROCESS = "process_"
"""Names that the library's own collector reads from the system."""


def routes(office: Office, readiness: Readiness) -> list[web.RouteDef]:
    """Without a token, as monitoring expects it: nothing in it names a tenant, a webhook or a receiver."""
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    shown = _Shown()
    registry.register(shown)
    build = ("hookledger_build_info", (version("hookledger"), sys.version.split()[0]), 1)

    async def show(request: web.Request) -> web.Response:
        reasons = readiness()
        state = [build, ("hookledger_ready", (), int(not reasons))]
        state += [("hookledger_not_ready", (words,), 1) for words in dict.fromkeys(map(_in_short, reasons))]
        shown.samples = [*state, *await samples_of(office)]
        encode, content_type = choose_encoder(request.headers.get("Accept", ""))
        return web.Response(body=encode(registry), headers={"Content-Type": content_type})

    return [web.get("/metrics", show)]


def _in_short(reason: str) -> str:
    """The words that stay: behind them comes what is known of this one fault, which may be anything."""
    return _BEHIND.split(reason, maxsplit=1)[0]


class _Shown(Collector):
    """The samples of one answer, in the order of the list."""

    def __init__(self) -> None:
        self.samples: Sequence[Sample] = ()

    def describe(self) -> Iterable[Metric]:
        return ()

    def collect(self) -> Iterator[Metric]:
        by_name: dict[str, list[Sample]] = {}
        for sample in self.samples:
            by_name.setdefault(sample[0], []).append(sample)
        for name, kind, means, labels in METRICS:
            if name.startswith(PROCESS):
                continue
            found = by_name.pop(name, [])
            if kind == "histogram":
                yield _histogram(name, means, labels, found)
                continue
            family = (CounterMetricFamily if kind == "counter" else GaugeMetricFamily)(name, means, labels=labels)
            for _, values, value in found:
                assert not isinstance(value, Histogram)
                family.add_metric(values, value)
            yield family
        assert not by_name, f"not in core/metrics.py: {', '.join(by_name)}"


def _histogram(name: str, means: str, labels: Sequence[str], found: Sequence[Sample]) -> HistogramMetricFamily:
    family = HistogramMetricFamily(name, means, labels=labels)
    per = 1_000 if name.endswith("_seconds") else 1
    for _, values, histogram in found:
        assert isinstance(histogram, Histogram)
        buckets, seen = [], 0
        for bound, count in zip((*histogram.bounds, None), histogram.counts, strict=True):
            seen += count
            buckets.append(("+Inf" if bound is None else f"{bound / per:g}", seen))
        family.add_metric(values, buckets, histogram.total / per)
    return family
