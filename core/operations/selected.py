"""What a selection comes to, and how it is looked for: in steps, so that nobody else waits for long."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from difflib import get_close_matches

import msgspec

from core.errors import InvalidInputError, NotFoundError
from core.history_entries import Entry, Matches, Page, count, page, triggers
from core.history_question import NUMBER_MAX, Wanted, classes_and_codes
from core.history_text import matches_of
from core.ledger.unit import Claim
from core.limits import EVENT_ID_CHARS_MAX, LIST_S, TEXT_CHARS_MAX, WEBHOOK_TARGET_CHARS_MAX
from core.office import Office
from core.operations.operation import reach
from core.operations.selection import Selection

TIME_MS_MAX = 2**62
"""A time that is asked for; whatever lies beyond means the same."""
TENANTS_MAX = 100
"""Tenants in which the same id of a portal event is looked for at once."""


class Meant(msgspec.Struct, frozen=True):
    """What a selection comes to: a question for the history, what is decided for each delivery by itself, and how many
    recorded events the history lacks."""

    wanted: Wanted
    matches: Matches | None
    behind: int


async def meant(office: Office, selection: Selection) -> Meant:
    """What *selection* means here and now; the history is brought up to the ledger's head first."""
    _check(office, selection)
    behind = await reach(office, office.writer.head)
    loop = asyncio.get_running_loop()
    if selection.trigger is not None and selection.trigger not in office.plugins.triggers:
        _check_trigger(selection.trigger, await loop.run_in_executor(office.reading, triggers, office.views), office)
    matches = None
    if selection.text is not None:
        matches = matches_of(office.reader, list(office.directory.by_number.values()), selection.text)
    wanted = Wanted(
        tenant=selection.tenant,
        webhook=selection.webhook,
        trigger=selection.trigger,
        states=selection.states,
        statuses=selection.statuses,
        target=selection.target,
        events=None if selection.event is None else await _events(office, selection),
        since_ms=_bounded(selection.since_ms),
        until_ms=_bounded(selection.until_ms),
        before=NUMBER_MAX if selection.before is None else min(max(selection.before, 0), NUMBER_MAX),
        text=selection.text,
    )
    return Meant(wanted, matches, behind)


def _check(office: Office, selection: Selection) -> None:
    classes_and_codes(selection.statuses)
    for what, said, chars_max, limit in (
        ("text", selection.text, TEXT_CHARS_MAX, "TEXT_CHARS_MAX"),
        ("target", selection.target, WEBHOOK_TARGET_CHARS_MAX, "WEBHOOK_TARGET_CHARS_MAX"),
        ("event's id", selection.event, EVENT_ID_CHARS_MAX, "EVENT_ID_CHARS_MAX"),
    ):
        if said is not None and not 1 <= len(said) <= chars_max:
            raise InvalidInputError(f"the {what} has {len(said)} characters: say 1 to {chars_max}", limit=limit)
    if selection.webhook is not None and selection.webhook not in office.directory.by_number:
        raise NotFoundError(f"there is no webhook {selection.webhook}")


def _check_trigger(trigger: str, delivered: Sequence[str], office: Office) -> None:
    """One that no plugin knows any more may have deliveries."""
    if trigger not in delivered:
        known = sorted({*office.plugins.triggers, *delivered})
        near = [name for name in known if name.startswith(trigger)] or get_close_matches(trigger, known)
        hint = f"what comes near: {', '.join(near)}" if near else "`hookledger triggers` lists them"
        raise InvalidInputError(f"no plugin knows the trigger {trigger!r}; {hint}")


def _bounded(at_ms: int | None) -> int | None:
    return None if at_ms is None else min(max(at_ms, -TIME_MS_MAX), TIME_MS_MAX)


async def _events(office: Office, selection: Selection) -> tuple[int, ...]:
    """The numbers of the portal events of this id: each tenant may have one. Their claims lead to them."""
    assert selection.event is not None
    if selection.tenant is not None:
        tenants = [selection.tenant]
    elif selection.webhook is not None:
        tenants = [office.directory.by_number[selection.webhook].tenant]
    else:
        tenants = list(office.directory.tenants)
    claims = office.appender.claims
    keys = [claims.key(Claim(f"event:{tenant}", selection.event)) for tenant in tenants]
    # The index of claims belongs to this thread.
    found = await asyncio.get_running_loop().run_in_executor(office.writing, claims.find, keys)
    if len(found) > TENANTS_MAX:
        raise InvalidInputError(f"{len(found)} tenants have an event of this id: say whose with --tenant")
    return tuple(sorted(found.values()))


async def found(
    office: Office, meant: Meant, limit: int, *, oldest_first: bool = False
) -> tuple[list[Entry], int | None]:
    """The first *limit* deliveries that are meant, newest first; and where the look ended, as a page's `looked_to`:
    it goes on for LIST_S."""
    loop = asyncio.get_running_loop()
    give_up_at = loop.time() + LIST_S
    entries: list[Entry] = []
    wanted = meant.wanted

    def look(wanted: Wanted, limit: int) -> Page:
        return page(office.views, office.reader, wanted, limit, oldest_first=oldest_first, matches=meant.matches)

    while True:
        some, looked_to = await loop.run_in_executor(office.reading, look, wanted, limit - len(entries))
        entries += some
        if looked_to is None or len(entries) == limit or loop.time() >= give_up_at:
            return entries, looked_to
        wanted = msgspec.structs.replace(wanted, **{"after" if oldest_first else "before": looked_to})


async def counted(office: Office, meant: Meant) -> tuple[int, int | None]:
    """How many are meant, and where the look ended."""
    loop = asyncio.get_running_loop()
    give_up_at = loop.time() + LIST_S
    total, wanted = 0, meant.wanted

    def look(wanted: Wanted) -> tuple[int, int | None]:
        return count(office.views, office.reader, wanted, matches=meant.matches)

    while True:
        some, looked_to = await loop.run_in_executor(office.reading, look, wanted)
        total += some
        if looked_to is None or loop.time() >= give_up_at:
            return total, looked_to
        wanted = msgspec.structs.replace(wanted, before=looked_to)
