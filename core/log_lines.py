"""Every line of the log by name: how loud it is, and what it says. `docs/reference.md` has them all.

A name is for programs and stays; the text is for people and may be put better. What stands in braces is a fact of the
line, and some lines carry more of them.
"""

from __future__ import annotations

from logging import CRITICAL, DEBUG, ERROR, INFO, WARNING
from typing import NamedTuple


class Line(NamedTuple):
    """`often`: it may come with each delivery, and is held back beyond LOG_OFTEN_MAX."""

    level: int
    text: str
    often: bool = False


LINES = {
    # What happened, as it comes out of the ledger: core/chronicle.py
    "event.accepted": Line(
        DEBUG, "portal event {portal_event} {type!r} of {portal_event_id!r} makes {deliveries} deliveries"
    ),
    "event.refused": Line(DEBUG, "{events} events of tenant {tenant!r} are matched again: who listens has changed"),
    "event.rejected": Line(INFO, "an event of tenant {tenant!r} was none: {error}", often=True),
    "delivery.created": Line(DEBUG, "delivery {delivery} to webhook {webhook} of portal event {portal_event}"),
    "delivery.failed": Line(
        WARNING,
        "delivery {delivery} to webhook {webhook} has failed, attempt {attempt} was its last: {reason}",
        often=True,
    ),
    "delivery.cancelled": Line(INFO, "delivery {delivery} to webhook {webhook} is cancelled: {why}", often=True),
    "attempt.delivered": Line(
        DEBUG, "attempt {attempt} delivered {delivery} to webhook {webhook}: {status} after {took_ms} ms"
    ),
    "attempt.failed": Line(
        INFO, "attempt {attempt} of delivery {delivery} to webhook {webhook} failed, next {next}: {reason}", often=True
    ),
    "attempt.gone": Line(
        INFO,
        "attempt {attempt} of delivery {delivery} to webhook {webhook} was its last: answered {status}",
        often=True,
    ),
    "attempt.late": Line(
        INFO, "attempt {attempt} of delivery {delivery} to webhook {webhook} came too late to count", often=True
    ),
    "webhook.created": Line(INFO, "webhook {webhook} of tenant {tenant!r} was created"),
    "webhook.changed": Line(INFO, "webhook {webhook}: {fields} changed"),
    "webhook.secret_reset": Line(INFO, "webhook {webhook} has a new secret"),
    "webhook.enabled": Line(INFO, "webhook {webhook} is enabled"),
    "webhook.disabled": Line(WARNING, "webhook {webhook} is disabled: {why}"),
    "webhook.deleted": Line(INFO, "webhook {webhook} is deleted"),
    "token.created": Line(INFO, "token {token} of role {role} was created for tenant {tenant!r}"),
    "token.revoked": Line(INFO, "token {token} is revoked"),
    "plugins.changed": Line(INFO, "events are read by {plugins} from here on"),
    # In
    "request.answered": Line(DEBUG, "{method} {route} was answered {status} after {took_ms} ms"),
    "request.bug": Line(ERROR, "{method} {path} failed by a fault of ours"),
    "request.unreadable": Line(ERROR, "{method} {path}: the data cannot be read: {error}", often=True),
    "plugin.failed": Line(ERROR, "plugin {plugin!r}: {hook} failed ({new} new, {faults} since the start): {error}"),
    "plugin.slow": Line(
        WARNING,
        "plugin {plugin!r} is slow: {hook} took {took_s:.1f} s for {items}, more than HOOK_SLOW_S ({slow_s:g} s); "
        "nothing else runs meanwhile",
    ),
    "plugin.hung": Line(
        ERROR,
        "plugin {plugin!r} hung: {hook} {error}; for {rest_s} s (HOOK_REST_S) it is not asked, and its events are "
        "answered 503",
    ),
    "plugin.not_loaded": Line(ERROR, "plugin {plugin!r} cannot be loaded: {error}"),
    "plugin.mended": Line(INFO, "plugin {plugin!r} {state}"),
    "plugins.not_recorded": Line(ERROR, "which plugins there are cannot be recorded: {error}; trying again"),
    "inbox.waits": Line(ERROR, "portal events from Kafka wait, {of}: {error}; trying again", often=True),
    "inbox.goes_on": Line(WARNING, "portal events from Kafka wait no more, {of}"),
    "inbox.bug": Line(CRITICAL, "portal events from Kafka wait, {of}, by a fault of ours; trying again", often=True),
    "inbox.dead": Line(WARNING, "the record {offset} of {partition} is dead: {error}", often=True),
    "inbox.not_committed": Line(WARNING, "records that are done with may come again: {error}", often=True),
    # Kept
    "ledger.commit_failed": Line(ERROR, "the ledger cannot write: {error}", often=True),
    "ledger.locked_first": Line(
        INFO, "the ledger's lock is taken before events of {calls} callers are matched", often=True
    ),
    "ledger.connection_lost": Line(ERROR, "the database went away, what it was asked last is asked again: {error}"),
    "leader.leads": Line(INFO, "this process leads, in term {term}"),
    "leader.carries": Line(
        INFO,
        "deliveries are handed out here; of {held} it is not known whether an earlier leader still has them under way",
    ),
    "leader.leads_no_more": Line(INFO, "this process leads no more, its term {term} is over"),
    "leader.unknown": Line(ERROR, "it is not known who leads: {error}"),
    "leader.bug": Line(ERROR, "to take over failed by a fault of ours"),
    "mark.waits": Line(ERROR, "nothing is handed out, because it cannot be marked: {error}"),
    "outbox.let_go": Line(INFO, "{deliveries} deliveries are under way no more, and may be handed out again"),
    "handover.refused": Line(
        ERROR, "deliveries cannot be handed to workers, through topic {topic}: {error}; trying again", often=True
    ),
    "station.unreadable": Line(
        ERROR,
        "the record {offset} of {partition} is passed over, and what it holds handed out later: {error}",
        often=True,
    ),
    "station.foreign": Line(
        ERROR,
        "the record {offset} of {partition}, and others, are of another ledger, whose workers never see them: each "
        "ledger needs a --deliveries-topic, or a Kafka, of its own",
    ),
    "station.late": Line(
        WARNING,
        "delivery {delivery} came too late to be attempted, and is handed out again; where all do, clocks differ",
        often=True,
    ),
    "station.waits": Line(ERROR, "deliveries from Kafka wait: {error}; trying again"),
    "station.bug": Line(CRITICAL, "deliveries from Kafka were passed over by a fault of ours; they come again later"),
    "station.cut_off": Line(
        WARNING, "{deliveries} attempts were cut off by the stop; another worker may make them again"
    ),
    "ledger.hears_nothing": Line(WARNING, "what other processes record is looked for now and then only: {error}"),
    "ledger.not_told": Line(CRITICAL, "what was recorded, or was not, could not be told to who asked for it"),
    "ledger.connected_again": Line(WARNING, "the database is there again"),
    "ledger.written_again": Line(WARNING, "the ledger is written again"),
    "snapshot.not_kept": Line(WARNING, "no snapshot is kept, and the next start takes longer: {error}"),
    "unit.unwritable": Line(ERROR, "a unit cannot be stored: a fault of ours", often=True),
    "attempt.unwritable": Line(ERROR, "what became of delivery {delivery_id} cannot be stored", often=True),
    "claims.unreadable": Line(WARNING, "{file} cannot be read: it is made anew"),
    "claims.damaged": Line(ERROR, "{file}: {error}; it is made anew"),
    "claims.not_written": Line(ERROR, "claims stay in memory, and nothing is lost: {error}"),
    "views.foreign": Line(WARNING, "{file} is another ledger's, or ahead of this one; it is made anew"),
    "views.damaged": Line(WARNING, "{file} is damaged ({error}); it is made anew"),
    "views.at_fault": Line(ERROR, "{error}"),
    "views.mended": Line(WARNING, "{file} is made anew"),
    "views.not_mended": Line(ERROR, "the views cannot be made anew: {error}; trying again"),
    "views.lost": Line(CRITICAL, "the views cannot be made anew: {error}"),
    "view.stands_by": Line(WARNING, "{error}; standing by"),
    "view.bug": Line(CRITICAL, "the view {view} cannot be followed: a fault of ours"),
    "view.waits": Line(ERROR, "the view {view}: {error}; trying again", often=True),
    "view.ends": Line(CRITICAL, "the view {view} is followed no further: {error}"),
    "view.written_again": Line(WARNING, "the view {view} is written again"),
    "views.late": Line(WARNING, "the views do not hold position {position} {why}; answering without it"),
    # Carried
    "worker.bug": Line(CRITICAL, "a worker failed by a fault of ours; its delivery stays marked until the next start"),
    "worker.waits": Line(WARNING, "deliveries wait, as that of webhook {webhook}: {error}", often=True),
    "secret.unreadable": Line(ERROR, "webhook {webhook}: its secret cannot be read: {error}; trying again", often=True),
    "webhook.unusable": Line(ERROR, "webhook {webhook} cannot be delivered to: {error}", often=True),
    "delivery.unreadable": Line(ERROR, "a delivery cannot be read: {error}; trying again", often=True),
    "delivery.forgotten": Line(WARNING, "delivery {delivery} is cancelled: its payload was forgotten", often=True),
    "outbox.unreadable": Line(ERROR, "the outbox cannot be read: {error}; trying again", often=True),
    "outbox.stuck": Line(CRITICAL, "rows of webhook {webhook} cannot be read; trying again"),
    "reaction.waits": Line(ERROR, "a reaction waits: {error}", often=True),
    "cancelling.stuck": Line(ERROR, "webhook {webhook}: {deliveries} deliveries cannot be cancelled: {answer}"),
    "kafka.away": Line(ERROR, "the {client} waits, and goes on by itself: {error}"),
    "kafka.back": Line(WARNING, "the {client} is connected again"),
    "kafka.bug": Line(ERROR, "the {client} failed by a fault of ours, and begins anew"),
    "kafka.leaves": Line(
        ERROR,
        "the ledger has not answered for {wait_s} s: {what} from Kafka are left to others until it answers us",
    ),
    "kafka.joins": Line(INFO, "the ledger answers again: this process takes {what} from Kafka"),
    "kafka.not_closed": Line(WARNING, "the {client} could not be closed within {limit_s:g} s, and is left behind"),
    "kafka.not_released": Line(
        WARNING, "the {client} gave {partitions} away before all that was under way of it had come to its end"
    ),
    "feed.waits": Line(ERROR, "what is recorded waits to be told on {topic}: {error}; trying again", often=True),
    "feed.goes_on": Line(WARNING, "what is recorded waits no more to be told on {topic}"),
    "feed.bug": Line(CRITICAL, "what is recorded waits to be told, by a fault of ours; trying again", often=True),
    "feed.stands_by": Line(WARNING, "{error}; standing by"),
    # The process
    "serve.started": Line(INFO, "version {version} has started on {address}, with the ledger in {data}"),
    "serve.stopping": Line(
        INFO, "stopping: what is under way has {stop_s:g} s to be finished; a second signal ends it at once"
    ),
    "serve.stopped": Line(
        INFO,
        "stopped: {finished} deliveries under way were finished, {cut_off} cut off and due again at the next start; "
        "{waiting} deliveries wait in the outbox",
    ),
    "serve.left": Line(
        INFO,
        "stopped: {finished} deliveries under way were finished, {cut_off} cut off and due again; whoever leads goes "
        "on with what waits",
    ),
    "clock.set": Line(WARNING, "the clock was set {way} by {by_s:.1f} s: what waits for a retry keeps its wait"),
    "tracing.missing": Line(
        WARNING, "OTEL_… asks for traces, and what makes them is missing: pip install 'hookledger[otel]'"
    ),
    "log.held_back": Line(INFO, "and {more} more lines {name}"),
}
