"""`GET /metrics`: every name of the list and no other, for anybody who asks, with nothing in it that is not theirs."""

from __future__ import annotations

import re

from aiohttp import ClientSession
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.openmetrics import parser as openmetrics

from core.histogram import LATENCY_BOUNDS, PATIENCE_BOUNDS, Histogram, quantile
from core.metrics import METRICS
from tests.end_to_end.place import ALLOW, a_portal_event
from tests.tidy.tree import ROOT
from tests.watch.readings import Scrape, scrape

PARTS = re.compile(r"_(?:total|bucket|count|sum)$")
NAMED = re.compile(r"\b(?:hookledger|process)_[a-z_]+")
TYPES = {"counter": "counter", "gauge": "gauge", "histogram": "histogram"}


async def busy(place, receiver) -> tuple[str, str]:
    """A `serve` that has delivered something, turned something down, and been asked nonsense: its address, a token."""
    serving = await place.serve(*ALLOW)
    token = await place.token()
    hook = await place.webhook(f"{receiver.url}/secret-path?key=hidden", tenant="1")
    async with ClientSession(serving.url) as session:
        headers = {"Authorization": f"Bearer {token}"}
        events = [a_portal_event(), {"id": "broken"}, a_portal_event("e2", tenant="another")]
        async with session.post("/api/ledger/events", json=events, headers=headers) as answer:
            position = (await answer.json())["events"][0]["position"]
        for path in ("/nonsense", "/api/ledger/events", "/health/ready", "/health/live"):
            await session.get(path)
        await session.request("REPORT", "/health/live")
    await receiver.next()
    await place.until(position + 1, "delivered")
    assert hook.id
    return serving.url, token


async def test_every_name_of_the_list_is_shown_and_no_other(place, receiver):
    """What is scraped from a real process is core/metrics.py: names, kinds, labels and what they mean."""
    url, _ = await busy(place, receiver)
    shown = await scrape(url)
    listed = {metric.name.removesuffix("_total"): metric for metric in METRICS}
    assert set(shown.families) == set(listed)
    for name, family in shown.families.items():
        metric = listed[name]
        assert family.type == metric.kind
        labels = {label for sample in family.samples for label in sample.labels} - {"le"}
        assert labels <= set(metric.labels)
        if not name.startswith("process_"):
            assert family.documentation == metric.means


async def test_a_scrape_of_a_real_process_adds_up(place, receiver):
    """Rejected by reason, requests by route and status, connections and look-ups: each is there."""
    url, _ = await busy(place, receiver)
    shown = await scrape(url)
    rejected = shown.by_labels("hookledger_events_rejected_total")
    assert rejected == {("malformed", "http"): 1, ("not_yours", "http"): 1}
    requests = shown.by_labels("hookledger_http_requests_total")
    assert requests["POST", "/api/ledger/events", "200"] == 1
    assert requests["GET", "other", "405"] == 1
    assert requests["GET", "other", "404"] == 1
    assert requests["other", "other", "405"] == 1
    assert requests["POST", "/operator/{name}", "200"] >= 2
    assert shown("hookledger_connections_opened_total") == 1
    assert shown("hookledger_connections", state="idle") == 1
    assert (shown("hookledger_ready"), shown.by_labels("hookledger_not_ready")) == (1, {})
    assert shown("process_resident_memory_bytes") > 1_000_000


async def test_nothing_is_shown_that_is_somebodys(place, receiver):
    """No tenant, webhook, URL, token or id of anything is in a scrape, which asks for no token."""
    url, token = await busy(place, receiver)
    async with ClientSession(url) as session, session.get("/metrics") as answer:
        text = await answer.text()
    assert [
        word for word in ("secret-path", "hidden", "127.0.0.1", "mine", "another", "e2", token) if word in text
    ] == []


async def test_openmetrics_is_spoken_too(place):
    """Who asks for OpenMetrics gets it, whole."""
    serving = await place.serve()
    headers = {"Accept": "application/openmetrics-text; version=1.0.0"}
    async with ClientSession(serving.url) as session, session.get("/metrics", headers=headers) as answer:
        assert answer.content_type == "application/openmetrics-text"
        families = list(openmetrics.text_string_to_metric_families(await answer.text()))
    assert {family.name for family in families} == {metric.name.removesuffix("_total") for metric in METRICS}


def test_the_names_follow_the_conventions():
    """Counters end in _total and nothing else does; each name begins with whose it is, and is there once."""
    names = [metric.name for metric in METRICS]
    assert sorted(set(names)) == sorted(names)
    assert [m.name for m in METRICS if (m.kind == "counter") != m.name.endswith("_total")] == []
    assert [name for name in names if not name.startswith(("hookledger_", "process_"))] == []
    assert [m.name for m in METRICS if not m.means.endswith(".")] == []


def test_every_metric_is_told_of_and_no_other():
    """docs/metrics.md names each metric, and none that does not exist."""
    text = (ROOT / "docs" / "metrics.md").read_text(encoding="utf-8")
    names = {metric.name for metric in METRICS}
    named = set(NAMED.findall(text))
    assert names - named == set()
    assert {name for name in named - names if PARTS.sub("", name) not in names} == set()


def test_quantiles_lie_within_their_bucket():
    """A share of the values is told as the bound they were below, or between it and the one before."""
    histogram = Histogram(PATIENCE_BOUNDS)
    assert quantile(histogram.bounds, histogram.counts, 0.5) is None
    for value in range(1, 101):
        histogram.add(value)
    assert quantile(histogram.bounds, histogram.counts, 0.5) == 50
    assert quantile(histogram.bounds, histogram.counts, 0.99) == 99
    assert (sum(histogram.counts), histogram.total) == (100, 5_050)
    histogram.add(10**9)
    assert quantile(histogram.bounds, histogram.counts, 1) == 86_400_000


def test_a_scrape_is_read_by_labels():
    """The reader of these tests tells samples apart."""
    shown = Scrape('# TYPE a_total counter\na_total{x="1"} 2.0\na_total{x="2"} 0.0\n')
    assert shown.by_labels("a_total") == {("1",): 2.0}


@given(st.lists(st.integers(-5, 40_000) | st.sampled_from(LATENCY_BOUNDS)), st.lists(st.integers(0, 10)))
def test_many_values_are_counted_as_one_after_the_other(values, more):
    """However a histogram is fed, it holds the same."""
    one, all_at_once = Histogram(LATENCY_BOUNDS), Histogram(LATENCY_BOUNDS)
    for some in (values, more):
        for value in some:
            one.add(value)
        all_at_once.add_all(list(some))
    assert (all_at_once.counts, all_at_once.total) == (one.counts, one.total)
