"""The operation that has old deliveries made once more: those named, or those that a selection means."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from core.again import Again
from core.errors import InvalidInputError, OverloadedError
from core.limits import REDELIVER_MAX
from core.model.delivery import State
from core.model.event import OPERATOR
from core.operations.operation import Operation, reach
from core.operations.selection import Selection

if TYPE_CHECKING:  # as in operation.py
    from core.office import Office

NO_NUMBER = 2**62
"""Greater than any delivery's, and small enough for the disk."""
ENDED: tuple[State, ...] = ("delivered", "failed", "cancelled")
"""What is still on its way is only delivered once more when a selection says so."""


class Redeliver(msgspec.Struct, frozen=True):
    """Either *ids*, each as often as it is asked for, but once under the same *ticket*; or what *selection* means,
    oldest first, and no delivery of which there is a redelivery: that one stands for it. The *limit* first after number
    *after*. *is_trial*: only say what would be made."""

    ids: tuple[int, ...] = ()
    selection: Selection | None = None
    after: int = 0
    limit: int = REDELIVER_MAX
    ticket: str = ""
    is_trial: bool = False


class Redelivered(msgspec.Struct, frozen=True):
    """What became of each. `looked_to`: there may be more that are meant after this number, and before *before*."""

    told: list[Again]
    looked_to: int | None
    before: int | None


async def _redeliver(office: Office, request: Redeliver) -> Redelivered:
    if bool(request.ids) == (request.selection is not None):
        raise InvalidInputError("name deliveries by their numbers, or say a filter")
    if not 1 <= (len(request.ids) or request.limit) <= REDELIVER_MAX:
        raise InvalidInputError(f"1 to {REDELIVER_MAX} redeliveries at a time", limit="REDELIVER_MAX")
    if request.selection is not None:
        return await _of_selection(office, request, request.selection)
    ids = list(dict.fromkeys(min(max(id, 0), NO_NUMBER) for id in request.ids))
    ticket = f"named {request.ticket or office.random(16).hex()}"
    told = await office.redeliveries.make(ids, by=OPERATOR, ticket=ticket, is_trial=request.is_trial)
    await _seen(office, told)
    return Redelivered(told, None, None)


async def _of_selection(office: Office, request: Redeliver, selection: Selection) -> Redelivered:
    from core.operations.selected import found, meant

    # What is made from here on is never meant by the same words.
    before = office.writer.head + 1 if selection.before is None else selection.before
    selection = msgspec.structs.replace(selection, before=before, states=selection.states or ENDED)
    asked = await meant(office, selection)
    if asked.behind:
        raise OverloadedError(
            f"what is recorded and what is listed are {asked.behind} events apart, so what is meant is not known: "
            "see why at /health/ready, or name deliveries by their numbers"
        )
    wanted = msgspec.structs.replace(asked.wanted, after=request.after, is_newest=True)
    asked = msgspec.structs.replace(asked, wanted=wanted)
    entries, looked_to = await found(office, asked, request.limit, oldest_first=True)
    told = await office.redeliveries.make(
        [entry.number for entry in entries], by=OPERATOR, ticket="newest", is_trial=request.is_trial
    )
    await _seen(office, told)
    return Redelivered(told, looked_to, before)


async def _seen(office: Office, told: list[Again]) -> None:
    """Wait until whoever asks next sees what was made."""
    await reach(office, max((one.number or 0 for one in told), default=0))


REDELIVER = Operation("deliveries.redeliver", Redeliver, Redelivered, _redeliver)
