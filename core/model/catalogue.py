"""The aggregate Catalogue: which plugins, in which versions, read events from here on. One stream, for all tenants."""

from __future__ import annotations

from core.model.event import Event


class Changed(Event):
    """`plugins`: name → version, of all that are loaded; `tenant` is empty."""

    plugins: dict[str, str]
