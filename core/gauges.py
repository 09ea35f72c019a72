"""What an office knows of its own state and past, as samples of the metrics in core.metrics; reads memory only."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from itertools import islice
from typing import TypeVar

from core.alarms import LoopAlarms
from core.histogram import Histogram
from core.office import Office

Sample = tuple[str, tuple[str, ...], float | Histogram]
"""A metric's name, the values of its labels, and its value."""
Source = Callable[[], Awaitable[Iterable[Sample]]]

CHUNK_ITEMS_MAX = 5_000
"""Webhooks looked at before the loop has its turn again: some milliseconds."""

Item = TypeVar("Item")


async def in_chunks(items: Iterable[Item]) -> AsyncIterator[Sequence[Item]]:
    """All items, in lists of CHUNK_ITEMS_MAX, with the loop's other work between them."""
    all_items = iter(tuple(items))
    while chunk := tuple(islice(all_items, CHUNK_ITEMS_MAX)):
        yield chunk
        await asyncio.sleep(0)


async def samples_of(office: Office) -> list[Sample]:
    """All samples of the office, and of those who carry for it."""
    samples = [*_tallied(office), *_ledger(office), *_views(office), *_answered(office), *await _webhooks(office)]
    for source in office.gauges:
        samples += await source()
    return samples


def _tallied(office: Office) -> Iterable[Sample]:
    tally = office.tally
    for way, count in tally.accepted.items():
        yield "hookledger_events_accepted_total", (way,), count
    for way, count in tally.duplicates.items():
        yield "hookledger_events_duplicate_total", (way,), count
    for way_reason, count in tally.rejected.items():
        yield "hookledger_events_rejected_total", way_reason, count
    yield "hookledger_events_unmatched_total", (), tally.unmatched
    yield "hookledger_events_unknown_total", (), tally.unknown
    yield "hookledger_events_refused_total", (), tally.matched_again
    yield "hookledger_events_waiting", (), office.intake.under_way
    for plugin, conduct in office.plugins:
        yield "hookledger_plugin_faults_total", (plugin.name,), conduct.faults
        yield "hookledger_plugin_slow_total", (plugin.name,), conduct.slow
    for cause, count in tally.created.items():
        yield "hookledger_deliveries_created_total", (cause,), count
    for state in ("delivered", "failed", "cancelled"):
        yield "hookledger_deliveries_ended_total", (state,), getattr(tally, state)
    yield "hookledger_delivery_seconds", (), tally.delivery_ms
    yield "hookledger_attempts_total", ("delivered", "2xx"), tally.delivered
    for answer, count in tally.refused.items():
        yield "hookledger_attempts_total", ("failed", answer), count
    for answer, count in tally.late.items():
        yield "hookledger_attempts_total", ("late", answer), count
    yield "hookledger_attempt_seconds", (), tally.attempt_ms
    yield "hookledger_retries_scheduled_total", (), tally.retries
    for reason, count in tally.disabled.items():
        yield "hookledger_webhooks_disabled_total", (reason,), count


def _ledger(office: Office) -> Iterable[Sample]:
    writer = office.writer
    yield "hookledger_ledger_position", (), writer.head
    yield "hookledger_commit_seconds", (), writer.commit_ms
    yield "hookledger_commit_events", (), writer.commit_events
    yield "hookledger_commits_failed_total", (), writer.commits_failed
    yield "hookledger_commits_alone_total", (), writer.commits_alone
    yield "hookledger_units_waiting", (), writer.units_waiting
    yield "hookledger_claims_young", (), office.appender.claims.young


def _views(office: Office) -> Iterable[Sample]:
    now = office.clock.now_ms()
    for follower in office.followers:
        view, since = (follower.view.name.partition("/")[0],), follower.behind_since
        yield "hookledger_view_lag_positions", view, office.writer.head - follower.written
        yield "hookledger_view_lag_seconds", view, 0 if since is None else max(now - since, 0) / 1_000


def _answered(office: Office) -> Iterable[Sample]:
    for (route, method, status), count in office.tally.requests.items():
        yield "hookledger_http_requests_total", (route, method, status), count
    for route, took in office.tally.request_ms.items():
        yield "hookledger_http_request_seconds", (route,), took
    if isinstance(office.alarms, LoopAlarms):
        yield "hookledger_alarm_late_seconds", (), office.alarms.late_ms


async def _webhooks(office: Office) -> Iterable[Sample]:
    enabled = disabled = 0
    async for chunk in in_chunks(office.directory.by_number.values()):
        for webhook in chunk:
            enabled += webhook.enabled
            disabled += not webhook.enabled and not webhook.deleted
    return (
        ("hookledger_webhooks", ("enabled",), enabled),
        ("hookledger_webhooks", ("disabled",), disabled),
    )
