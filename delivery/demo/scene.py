"""What the demo plays with: three webhooks, what they ask for, and the portal events that plugins give as samples."""

from __future__ import annotations

import os
from typing import NamedTuple

import msgspec

from core.catalogue import DOCSPACE_TRIGGERS
from core.errors import HookledgerError
from core.loading import load_plugins
from core.wire import signature

REPORT = "991"
"""The file of the samples that most happens to."""


class Subscriber(NamedTuple):
    """One webhook: its name, which is also its path at the receiver, what it asks for, and its secret."""

    name: str
    asks: tuple[str, ...]
    secret: str

    def words(self, receiver: str) -> list[str]:
        """What one types to create it, without the environment."""
        return ["webhooks", "create", self.name, f"{receiver}/{self.name}", *self.asks, "--no-ssl", "--secret", "-"]


class Sample(NamedTuple):
    """A portal event as a portal sends it, and its trigger."""

    trigger: str
    event: bytes


def subscribers() -> list[Subscriber]:
    """The last of them is the one whose first attempts fail."""
    asked = (
        ("everything", ()),
        ("forms", ("--trigger", "form.submit", "--trigger", "form.filled.out")),
        ("report", ("--target", REPORT)),
    )
    return [Subscriber(name, asks, signature.generate(os.urandom(32))) for name, asks in asked]


def samples() -> list[Sample]:
    """One portal event for each of DocSpace's triggers, in the order of the catalogue."""
    chosen = [
        Sample(name, msgspec.json.encode(registered.trigger.samples[0]))
        for name, registered in load_plugins().triggers.items()
        if name in DOCSPACE_TRIGGERS and registered.trigger.samples
    ]
    missing = set(DOCSPACE_TRIGGERS) - {sample.trigger for sample in chosen}
    if missing:
        raise HookledgerError(
            f"no plugin has a sample of {', '.join(sorted(missing))}: install hookledger with its own"
        )
    return chosen
