"""One delivery's whole story as lines for people: what happened, what was sent, what came back, how long it took."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Console
from rich.text import Text

from core.operations.telling import FORGOTTEN, AttemptTold, CancelledTold, DeliveryTold, EventTold, Headers
from core.printing import STATE_STYLES, plain, styled

BODY_CHARS_MAX = 2_000
"""Of a body on the screen; `--json` has all of it."""
MARGIN = "    "


def print_story(console: Console, told: DeliveryTold) -> None:
    for line in story_lines(told):
        console.print(line, soft_wrap=True)


def story_lines(told: DeliveryTold) -> Iterator[Text]:
    """Whatever a portal or a receiver wrote is made harmless for terminals."""
    attempts = sum(isinstance(step, AttemptTold) for step in told.steps)
    yield Text.assemble(
        (f"delivery {told.id}", "bold"),
        "  ",
        (told.state, STATE_STYLES[told.state]),
        f" after {attempts} attempt{'' if attempts == 1 else 's'}",
        f", a {told.cause}" if told.cause != "event" else "",
        (f"  webhook-id {told.delivery}", "dim"),
    )
    yield Text.assemble("  to webhook ", str(told.webhook), " ", styled(told.webhook_name, "bold"))
    yield from _event_lines(told.event)
    for index, step in enumerate(told.steps):
        if isinstance(step, CancelledTold):
            yield Text.assemble(f"  {step.at}  ", ("cancelled", STATE_STYLES["cancelled"]), f": webhook {step.reason}")
        else:
            yield from _attempt_lines(step, is_first=index == 0)


def _event_lines(event: EventTold) -> Iterator[Text]:
    kind = event.type if event.trigger is None else event.trigger
    yield Text.assemble(f"  of portal event {event.number} ", styled(kind, "bold"), (f"  id {plain(event.id)}", "dim"))
    about = [] if event.happened_at is None else [f"happened {event.happened_at}"]
    about.append(f"accepted {event.accepted_at}")
    if event.targets:
        about.append(f"about {event.target_type} {', '.join(map(str, event.targets))}")
    if event.actor is not None:
        about.append(f"by {event.actor}")
    yield Text(f"  {plain(', '.join(about))}")
    if bytes(event.data) == FORGOTTEN:
        yield Text(f"{MARGIN}its data was forgotten", "dim")


def _attempt_lines(step: AttemptTold, *, is_first: bool) -> Iterator[Text]:
    yield Text()
    since = "the event was accepted" if is_first else "the attempt before"
    outcome = step.reason if step.status is None else f"answered {step.status}"
    yield Text.assemble(
        (f"  attempt {step.number}", "bold"),
        " (late)" if step.is_late else "",
        f"  {step.at}, {in_words(step.waited_ms)} after {since}: ",
        (plain(outcome), "bold green" if step.reason == "" else "bold red"),
        f" after {in_words(step.took_ms)}",
    )
    if step.note is not None:
        yield Text(f"{MARGIN}{step.note}", "yellow")
    if step.request is not None:
        yield Text(f"{MARGIN}> POST {plain(step.request.url)}")
        yield from _header_lines(">", step.request.headers)
        yield from _body_lines(">", step.request.body)
        proof = (
            "these bytes have the recorded SHA-256" if step.request.is_proven else "these bytes are NOT what was sent"
        )
        yield Text(f"{MARGIN}  {proof}", "green" if step.request.is_proven else "bold red")
    if step.status is not None:
        yield Text(f"{MARGIN}< {step.status}")
        yield from _header_lines("<", step.headers)
    if step.body:
        yield from _body_lines("<", step.body)
    if step.is_truncated:
        yield Text(f"{MARGIN}  there was more of it, or it broke off", "yellow")
    if step.next_at is not None:
        yield Text.assemble("  next attempt due ", (step.next_at, "yellow"))


def _header_lines(mark: str, headers: Headers) -> Iterator[Text]:
    for name, value in headers:
        yield Text.assemble(f"{MARGIN}{mark} ", (plain(name), "dim"), f": {plain(value)}")


def _body_lines(mark: str, body: str) -> Iterator[Text]:
    """As it was sent, not made pretty."""
    cut = body[:BODY_CHARS_MAX]
    for line in plain(cut).split("\n"):
        yield Text(f"{MARGIN}{mark} {line}", "cyan" if mark == ">" else "")
    if len(cut) < len(body):
        yield Text(f"{MARGIN}  and {len(body) - len(cut)} more characters; --json has them", "dim")


def in_words(ms: int) -> str:
    """`4 ms`, `5.1 s`, `2 min 3 s`, `5 h 0 min`."""
    if ms < 1_000:
        return f"{ms} ms"
    if ms < 60_000:
        return f"{ms / 1_000:.1f} s"
    minutes, seconds = divmod(ms // 1_000, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {seconds} s"
