"""The contract with plugins: three hooks, all synchronous, all pure, all on batches."""

from __future__ import annotations

from collections.abc import Sequence

import pluggy

from core.trigger import Directory, Owner, PortalEvent, Reading, Trigger, Unreadable

PROJECT = "hookledger"
hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


@hookspec
def register_triggers() -> Sequence[Trigger]:  # type: ignore[empty-body]
    """Return the triggers this plugin adds to the catalogue; asked once, at the start."""


@hookspec
def read_event(  # type: ignore[empty-body]
    events: Sequence[PortalEvent], directory: Directory
) -> Sequence[Reading | Unreadable]:
    """Say what each event means, in their order and one answer for each.

    *events* are of one tenant and only of types this plugin registered. *directory* is who is who just before the
    first of them; an event whose trigger changes the directory comes alone. Depend on the arguments only.
    If this raises, or answers the wrong number, it is asked again one by one and only the raisers are spoiled; one that
    does not answer within HOOK_S is interrupted, and its plugin is left alone for a while.
    """


@hookspec
def can_see(  # type: ignore[empty-body]
    pairs: Sequence[tuple[Owner, PortalEvent]], directory: Directory
) -> Sequence[bool]:
    """Say for each pair whether *owner* may learn of *event*: False refuses, True grants nothing by itself.

    Asked for all events, also other plugins'. A raiser counts as a no, and so does one that is interrupted.
    """
