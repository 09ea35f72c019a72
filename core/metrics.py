"""Every metric by name, with what it means; what is shown is held against this list, and docs/metrics.md is too.

No label names a tenant, a webhook or a URL: how many there are is not ours to say, and `/metrics` asks for no token.
"""

from __future__ import annotations

from typing import Literal, NamedTuple


class Metric(NamedTuple):
    """What is read under this name. A histogram of seconds is kept in milliseconds and shown in seconds."""

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    means: str
    labels: tuple[str, ...] = ()


METRICS = (
    Metric("hookledger_build_info", "gauge", "Always 1; its labels say what runs.", ("version", "python")),
    Metric("hookledger_ready", "gauge", "1 while the service does its work, as /health/ready has it."),
    Metric("hookledger_not_ready", "gauge", "1 for each reason why the service is not ready.", ("reason",)),
    # In
    Metric("hookledger_events_accepted_total", "counter", "Portal events recorded, by the way they came.", ("way",)),
    Metric("hookledger_events_duplicate_total", "counter", "Portal events that were known already.", ("way",)),
    Metric("hookledger_events_rejected_total", "counter", "Portal events that were none.", ("way", "reason")),
    Metric("hookledger_events_unmatched_total", "counter", "Portal events recorded that no webhook is told of."),
    Metric("hookledger_events_unknown_total", "counter", "Portal events recorded whose type no plugin knows."),
    Metric("hookledger_events_refused_total", "counter", "Portal events refused by the ledger, and matched again."),
    Metric("hookledger_intake_bytes", "gauge", "Bytes of requests that have come, and wait for the rest or a commit."),
    Metric("hookledger_events_waiting", "gauge", "Portal events that wait for their commit."),
    Metric("hookledger_inbox_records_total", "counter", "Records of Kafka whose events are in the ledger, or dead."),
    Metric("hookledger_inbox_events_total", "counter", "Portal events in them that are in the ledger."),
    Metric("hookledger_inbox_dead_total", "counter", "Records of Kafka written to the topic of the dead."),
    Metric("hookledger_inbox_under_way", "gauge", "Records of Kafka taken, and not done with."),
    Metric("hookledger_worker_deliveries_total", "counter", "Deliveries that a worker took off Kafka.", ("what",)),
    Metric("hookledger_worker_under_way", "gauge", "Requests that a worker over Kafka has under way.", ("age",)),
    Metric("hookledger_worker_waiting", "gauge", "Deliveries that a worker took, and has not begun."),
    Metric("hookledger_kafka_lag", "gauge", "Records before this process, in its partitions of a topic.", ("topic",)),
    Metric("hookledger_plugin_faults_total", "counter", "Answers that a plugin failed to give.", ("plugin",)),
    Metric(
        "hookledger_plugin_slow_total", "counter", "Calls of a plugin that took longer than HOOK_SLOW_S.", ("plugin",)
    ),
    # Kept
    Metric("hookledger_ledger_position", "gauge", "The newest position in the ledger."),
    Metric("hookledger_commit_seconds", "histogram", "How long a commit took, from its begin to its answers."),
    Metric("hookledger_commit_events", "histogram", "Recorded events in one commit."),
    Metric("hookledger_commits_failed_total", "counter", "Commits that the disk did not take."),
    Metric("hookledger_commits_alone_total", "counter", "Commits that took the ledger's lock before matching."),
    Metric("hookledger_units_waiting", "gauge", "Units that wait for their commit, or for its end."),
    Metric("hookledger_claims_young", "gauge", "Claims that are not in the index on disk yet."),
    Metric("hookledger_view_lag_positions", "gauge", "Positions that a view's rows are behind the ledger.", ("view",)),
    Metric("hookledger_view_lag_seconds", "gauge", "How old the oldest of those is.", ("view",)),
    # Due
    Metric("hookledger_webhooks", "gauge", "Webhooks that are not deleted.", ("state",)),
    Metric("hookledger_webhooks_disabled_total", "counter", "Webhooks disabled.", ("reason",)),
    Metric("hookledger_leads", "gauge", "Whether this process hands out, of those that share a database."),
    Metric("hookledger_takeovers_total", "counter", "Terms that it has begun to lead."),
    Metric("hookledger_reactions_waiting", "gauge", "Webhooks to disable, or to cancel deliveries of."),
    Metric("hookledger_deliveries_created_total", "counter", "Deliveries made, by what caused them.", ("cause",)),
    Metric("hookledger_deliveries_open", "gauge", "Deliveries that have not ended: due, or waiting for a retry."),
    Metric("hookledger_deliveries_ready", "gauge", "Due deliveries in memory, waiting for their turn."),
    Metric("hookledger_deliveries_ready_bytes", "gauge", "Bytes of their payloads, shared ones counted for each."),
    Metric(
        "hookledger_deliveries_overdue_seconds", "gauge", "How long the oldest whose receiver does not hang is due."
    ),
    Metric("hookledger_deliveries_under_way", "gauge", "Requests under way, younger than a second or not.", ("age",)),
    Metric("hookledger_deliveries_unrecorded", "gauge", "Outcomes that wait for their commit."),
    Metric("hookledger_deliveries_ended_total", "counter", "Deliveries that have ended, and how.", ("state",)),
    Metric("hookledger_delivery_seconds", "histogram", "From a delivery's creation to its recorded success."),
    # Windows: a webhook's place in the outbox is its lane.
    Metric("hookledger_lanes", "gauge", "Webhooks that had deliveries, and those with something special.", ("state",)),
    Metric("hookledger_window_requests", "gauge", "Requests that all windows together let through."),
    # Out
    Metric("hookledger_attempts_total", "counter", "Attempts recorded, and what came back.", ("outcome", "answer")),
    Metric("hookledger_attempt_seconds", "histogram", "How long an attempt took."),
    Metric("hookledger_retries_scheduled_total", "counter", "Failed attempts that are made again."),
    Metric("hookledger_connections", "gauge", "Connections to receivers.", ("state",)),
    Metric("hookledger_connections_opened_total", "counter", "Connections made to receivers."),
    Metric("hookledger_lookups_total", "counter", "Names of receivers looked up.", ("outcome",)),
    Metric("hookledger_lookups_under_way", "gauge", "Names being looked up."),
    Metric("hookledger_lookup_seconds", "histogram", "How long looking a name up took."),
    Metric("hookledger_feed_records_total", "counter", "Records written to the topic of the ledger."),
    Metric("hookledger_feed_lag_positions", "gauge", "Positions that this topic is behind the ledger."),
    Metric("hookledger_feed_lag_seconds", "gauge", "How old the oldest of those is."),
    # The process
    Metric("hookledger_http_requests_total", "counter", "Requests answered.", ("route", "method", "status")),
    Metric("hookledger_http_request_seconds", "histogram", "How long answering took.", ("route",)),
    Metric("hookledger_http_connections", "gauge", "Connections to the public port."),
    Metric("hookledger_http_connections_closed_total", "counter", "Connections closed for want of room.", ("why",)),
    Metric("hookledger_log_lines_total", "counter", "Lines of the log, those held back among them.", ("level",)),
    Metric("hookledger_alarm_late_seconds", "histogram", "How late an alarm rang: the event loop was busy."),
    Metric("process_cpu_seconds_total", "counter", "Processor time, of user and system."),
    Metric("process_resident_memory_bytes", "gauge", "Memory in use."),
    Metric("process_virtual_memory_bytes", "gauge", "Memory reserved."),
    Metric("process_open_fds", "gauge", "Open files, connections among them."),
    Metric("process_max_fds", "gauge", "Open files there may be."),
    Metric("process_start_time_seconds", "gauge", "When the process began, since 1970."),
)
