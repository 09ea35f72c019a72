"""What the history must hold, by the rules of the design in plain loops; of core it knows only what is recorded."""

from __future__ import annotations

from core.model import delivery, portal_event

REASON_CHARS = 200


def plain_fold(recorded):
    """Number → what is known of the delivery."""
    of_events = {}
    deliveries = {}
    for position, stream, _, event in recorded:
        if isinstance(event, portal_event.Received):
            of_events[stream] = {
                "event": position,
                "event_id": event.id,
                "targets": event.targets,
                "trigger": event.trigger,
            }
        elif isinstance(event, delivery.Created):
            deliveries[position] = {
                "number": position,
                "webhook": event.webhook,
                "tenant": event.tenant,
                **of_events[event.event],
                "delivery": stream,
                "cause": event.cause,
                "created_at": event.at,
                "state": "pending",
                "status": None,
                "next_due": event.at,
                "ended_at": None,
                "requests": [],
            }
        elif isinstance(event, delivery.Outcome):
            known = deliveries[event.number]
            if not isinstance(event, delivery.Cancelled):
                made = event.attempt
                is_late = isinstance(event, delivery.LateAttempt)
                line = (made.number, made.started, made.took, made.status, made.reason[:REASON_CHARS], is_late)
                known["requests"].append(line)
                if not is_late:
                    known["status"] = made.status
            known |= change(event)
    return deliveries


def change(event):
    """pending → delivered; pending → retrying → delivered | failed; cancelled; a late attempt changes nothing."""
    ended = {"next_due": None, "ended_at": event.at}
    if isinstance(event, delivery.Delivered):
        return {"state": "delivered", **ended}
    if isinstance(event, delivery.Cancelled):
        return {"state": "cancelled", **ended}
    if isinstance(event, delivery.AttemptFailed):
        return {"state": "failed", **ended} if event.next is None else {"state": "retrying", "next_due": event.next}
    return {}


def totals(deliveries):
    """Webhook → how many of its deliveries are in each state."""
    found = {}
    for known in deliveries.values():
        by_state = found.setdefault(
            known["webhook"], dict.fromkeys(("pending", "retrying", "delivered", "failed", "cancelled"), 0)
        )
        by_state[known["state"]] += 1
    return found
