"""What people may set of a webhook, and what each of it may be."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import UNSET, UnsetType

from core.check_url import CheckUrl
from core.errors import InvalidInputError
from core.limits import (
    SCHEDULE_RETRIES_MAX,
    SCHEDULE_WAIT_S_MAX,
    TENANT_CHARS_MAX,
    USER_CHARS_MAX,
    WEBHOOK_NAME_CHARS_MAX,
    WEBHOOK_TARGET_CHARS_MAX,
    WEBHOOK_TRIGGERS_MAX,
    WEBHOOK_URL_CHARS_MAX,
)
from core.model.webhook import Webhook

if TYPE_CHECKING:  # commands import what may be said, and start sooner without the plugins
    from core.plugins import Plugins

EVERYTHING = "*"


class Fields(msgspec.Struct, frozen=True, kw_only=True):
    """What may be set of a webhook; UNSET: as it is. `owner` None: the portal itself. No `triggers`: everything.
    `target` None: any. `schedule_s`: seconds before each retry; None: the service's own."""

    name: str | UnsetType = UNSET
    url: str | UnsetType = UNSET
    owner: str | UnsetType | None = UNSET
    triggers: tuple[str, ...] | UnsetType = UNSET
    target: str | UnsetType | None = UNSET
    ssl: bool | UnsetType = UNSET
    schedule_s: tuple[int, ...] | UnsetType | None = UNSET


class FieldRules:
    """Holds what people say against what may be said; each fault is an InvalidInputError."""

    def __init__(self, plugins: Plugins, check_url: CheckUrl) -> None:
        self._plugins = plugins
        self._check_url = check_url

    def said(self, fields: Fields) -> dict[str, Any]:
        """What is set, each by itself as it may be; triggers in the order they are sent."""
        said = {name: value for name in Fields.__struct_fields__ if (value := getattr(fields, name)) is not UNSET}
        if "name" in said:
            check_text("name", said["name"], WEBHOOK_NAME_CHARS_MAX, "WEBHOOK_NAME_CHARS_MAX")
        if "url" in said:
            check_text("URL", said["url"], WEBHOOK_URL_CHARS_MAX, "WEBHOOK_URL_CHARS_MAX")
        if said.get("target") is not None:
            check_text("target", said["target"], WEBHOOK_TARGET_CHARS_MAX, "WEBHOOK_TARGET_CHARS_MAX")
        if said.get("owner") is not None:
            check_text("owner", said["owner"], USER_CHARS_MAX, "USER_CHARS_MAX")
        if "triggers" in said:
            said["triggers"] = self._in_order(said["triggers"])
        if said.get("schedule_s") is not None:
            said["schedule_s"] = tuple(said["schedule_s"])
            _check_schedule(said["schedule_s"])
        return said

    def url(self, url: str, ssl: bool) -> None:
        self._check_url(url, ssl)

    def changes(self, known: Webhook, fields: Fields) -> dict[str, tuple[Any, Any]]:
        """What would become different: field → (from, to)."""
        said = self.said(fields)
        changes = {name: (getattr(known, name), to) for name, to in said.items() if getattr(known, name) != to}
        if "url" in changes or "ssl" in changes:
            self.url(said.get("url", known.url), said.get("ssl", known.ssl))
        return changes

    def _in_order(self, triggers: Sequence[str]) -> tuple[str, ...]:
        """Triggers as they are sent: by bit, then by name; those without a bit last. `*` is everything."""
        wanted = set(triggers)
        if EVERYTHING in wanted:
            return ()
        if len(wanted) > WEBHOOK_TRIGGERS_MAX:
            raise InvalidInputError(f"more than {WEBHOOK_TRIGGERS_MAX} triggers", limit="WEBHOOK_TRIGGERS_MAX")
        for name in sorted(wanted):
            if name not in self._plugins.triggers:
                raise InvalidInputError(f"no plugin knows the trigger {name!r}; {self._near(name)}")

        def place(name: str) -> tuple[int, str]:
            bit = self._plugins.triggers[name].trigger.bit
            return (64 if bit is None else bit, name)

        return tuple(sorted(wanted, key=place))

    def _near(self, name: str) -> str:
        """What may have been meant."""
        near = [known for known in self._plugins.triggers if known.startswith(name)] or get_close_matches(
            name, self._plugins.triggers
        )
        if near:
            return f"what comes near: {', '.join(near)}"
        if self._plugins.faults:
            return f"plugins that cannot be loaded: {', '.join(map(repr, sorted(self._plugins.faults)))}"
        return "if its plugin was installed just now, start `serve` again"


def check_tenant(tenant: str) -> None:
    if not 1 <= len(tenant) <= TENANT_CHARS_MAX:
        raise InvalidInputError(f"a tenant has 1 to {TENANT_CHARS_MAX} characters", limit="TENANT_CHARS_MAX")


def check_text(what: str, text: str, max_chars: int, limit: str) -> None:
    """InvalidInputError where *text* is empty, too long, or could steer a terminal."""
    if not text.strip() or not text.isprintable():
        raise InvalidInputError(f"the {what} is empty or has control characters in it")
    if len(text) > max_chars:
        raise InvalidInputError(f"the {what} has {len(text)} characters, at most {max_chars}", limit=limit)


def _check_schedule(schedule_s: Sequence[int]) -> None:
    if len(schedule_s) > SCHEDULE_RETRIES_MAX:
        raise InvalidInputError(
            f"a schedule has {len(schedule_s)} retries, at most {SCHEDULE_RETRIES_MAX}", limit="SCHEDULE_RETRIES_MAX"
        )
    for wait_s in schedule_s:
        if not 1 <= wait_s <= SCHEDULE_WAIT_S_MAX:
            raise InvalidInputError(
                f"a schedule waits 1 to {SCHEDULE_WAIT_S_MAX} seconds before a retry, not {wait_s}",
                limit="SCHEDULE_WAIT_S_MAX",
            )
