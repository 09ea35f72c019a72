"""One delivery's whole story as lines for people: what happened, what was sent, what came back, how long it took."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Console
from rich.text import Text

from core.duration import in_words
from core.model.delivery import CANCELLED_BECAUSE
from core.operations.telling import FORGOTTEN, AttemptTold, CancelledTold, DeliveryTold, EventTold, Headers
from core.printing import STATE_STYLES, one_line, plain, styled

BODY_CHARS_MAX = 2_000
"""Of a body on the screen; `--json` has all of it."""
MARGIN = "    "
NAMES = 11
"""Characters of a fact's name, with the space behind it."""


def print_story(console: Console, told: DeliveryTold) -> None:
    """On a terminal long lines go on under their own beginning; elsewhere they stay as they are."""
    for line in story_lines(told):
        if console.is_terminal and line.cell_len > console.width:
            for part in folded(line, console.width):
                console.print(part)
        else:
            console.print(line, soft_wrap=True)


def folded(line: Text, width: int) -> list[Text]:
    """A line in pieces of at most *width*; the later ones keep its margin, and its mark."""
    text = line.plain
    indent = len(text) - len(text.lstrip(" "))
    mark = text[indent] if text[indent : indent + 2] in ("> ", "< ") else " "
    hanging = f"{text[:indent]}{mark} " if mark != " " else " " * (NAMES + 2 if indent == 2 else indent + 2)
    parts: list[Text] = []
    rest, room = line, width
    while rest.cell_len > room:
        at = _break(rest.plain, room)
        head, rest = rest.divide([at])
        head.rstrip()
        parts.append(head if not parts else Text.assemble((hanging, "dim"), head))
        room = width - len(hanging)
    return [*parts, Text.assemble((hanging, "dim"), rest)]


def _break(text: str, room: int) -> int:
    """After how many characters to go on in the next line: behind a space, where there is one not far back."""
    at = room
    while Text(text[:at]).cell_len > room:
        at -= 1
    space = text.rfind(" ", 0, at) + 1
    return space if space > at * 2 // 3 else at


def story_lines(told: DeliveryTold) -> Iterator[Text]:
    """Whatever a portal or a receiver wrote is made harmless for terminals."""
    attempts = sum(isinstance(step, AttemptTold) for step in told.steps)
    yield Text.assemble(
        (f"delivery {told.id}", "bold"),
        "  ",
        (told.state, STATE_STYLES[told.state]),
        f" after {attempts} attempt{'' if attempts == 1 else 's'}",
    )
    yield from _fact_lines(told)
    for index, step in enumerate(told.steps):
        yield Text()
        if isinstance(step, CancelledTold):
            yield Text.assemble(
                ("  cancelled", STATE_STYLES["cancelled"]), f"  {step.at}, {CANCELLED_BECAUSE[step.reason]}"
            )
        else:
            yield from _attempt_lines(step, is_first=index == 0, is_redelivery=told.cause != "event")
    if told.next_at is not None:
        yield Text()
        due = "" if told.due_for_ms is None else f", due for {in_words(told.due_for_ms)} by now"
        yield Text.assemble("  next attempt  ", (told.next_at, "yellow"), due)


def _fact_lines(told: DeliveryTold) -> Iterator[Text]:
    now = "" if told.webhook_state == "enabled" else f" ({told.webhook_state} by now)"
    yield _fact("webhook", f"{told.webhook} ", styled(told.webhook_name, "bold"), now)
    yield _fact("", one_line(told.webhook_url))
    yield _fact("webhook-id", (told.delivery, "dim"))
    yield from _event_lines(told.event)
    for index, reason in enumerate(told.why):
        yield _fact("" if index else "because", one_line(reason))
    by = "" if told.by is None else f", asked for by {one_line(told.by)}"
    if told.of is not None:
        yield _fact("cause", f"redelivery of {told.of}{by}")
    elif told.cause != "event":
        yield _fact("cause", f"{told.cause}{by}")
    for index, again in enumerate(told.redeliveries):
        asked = "" if again.by is None else f", asked for by {one_line(again.by)}"
        yield _fact(
            "" if index else "again as", f"{again.id} ", (again.state, STATE_STYLES[again.state]), asked,
            (f"  {again.created_at}", "dim"),
        )  # fmt: skip


def _fact(name: str, *parts: str | Text | tuple[str, str]) -> Text:
    return Text.assemble("  ", (name.ljust(NAMES), "dim"), *parts)


def _event_lines(event: EventTold) -> Iterator[Text]:
    kind = event.type if event.trigger is None else event.trigger
    yield _fact("event", f"{event.number} ", styled(kind, "bold"), (f"  id {one_line(event.id)}", "dim"))
    happened = "" if event.happened_at is None else f"happened {event.happened_at}, "
    yield _fact("", f"{happened}accepted {event.accepted_at}")
    yield _fact("", f"came {one_line(came(event.source))}")
    if event.targets:
        yield _fact("", one_line(f"about {event.target_type} {', '.join(map(str, event.targets))}"))
    if event.actor is not None:
        yield _fact("", f"by {one_line(event.actor)}")
    if bytes(event.data) == FORGOTTEN:
        yield _fact("", ("its data was forgotten", "yellow"))


def came(source: tuple[str | int, ...]) -> str:
    """How an event came in, in words."""
    match source:
        case ("http", token):
            return f"over HTTP, with token {token}"
        case ("kafka", topic, partition, offset):
            return f"over Kafka, topic {topic}, partition {partition}, offset {offset}"
    return f"by way of {' '.join(map(str, source))}"


def _attempt_lines(step: AttemptTold, *, is_first: bool, is_redelivery: bool) -> Iterator[Text]:
    since = "after the attempt before"
    if is_first:
        since = "after it was asked for" if is_redelivery else "after the event was accepted"
    yield Text.assemble(
        (f"  attempt {step.number}", "bold"),
        " (late)" if step.is_late else "",
        f"  {step.at}, {in_words(step.waited_ms)} {since}",
    )
    if step.note is not None:
        yield Text(f"{MARGIN}{step.note}", "yellow")
    if step.request is not None:
        yield Text(f"{MARGIN}> POST {one_line(step.request.url)}")
        yield from _header_lines(">", step.request.headers)
        yield from _body_lines(">", step.request.body)
        proof = (
            "these bytes have the recorded SHA-256" if step.request.is_proven else "these bytes are NOT what was sent"
        )
        yield Text(f"{MARGIN}  {proof}", "green" if step.request.is_proven else "bold red")
    outcome = step.reason if step.status is None else f"answered {step.status}"
    yield Text.assemble(
        MARGIN,
        (one_line(outcome), "bold green" if step.reason == "" else "bold red"),
        f" after {in_words(step.took_ms)}",
    )
    yield from _header_lines("<", step.headers)
    if step.body:
        yield from _body_lines("<", step.body)
    if step.is_truncated:
        yield Text(f"{MARGIN}  there was more of it, or it broke off", "yellow")


def _header_lines(mark: str, headers: Headers) -> Iterator[Text]:
    for name, value in headers:
        yield Text.assemble(f"{MARGIN}{mark} ", (one_line(name), "dim"), f": {one_line(value)}")


def _body_lines(mark: str, body: str) -> Iterator[Text]:
    """As it was sent, not made pretty."""
    cut = body[:BODY_CHARS_MAX]
    for line in plain(cut).split("\n"):
        yield Text(f"{MARGIN}{mark} {line}", "cyan" if mark == ">" else "")
    if len(cut) < len(body):
        yield Text(f"{MARGIN}  and {len(body) - len(cut)} more characters; --json has them", "dim")
