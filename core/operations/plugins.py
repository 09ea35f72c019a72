"""Operations on plugins: which ones run here, and how they have behaved since the start."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from core.clock import to_iso
from core.office import Office
from core.operations.operation import Operation


class ListPlugins(msgspec.Struct, frozen=True):
    """All of them."""


class RunningPlugin(msgspec.Struct, frozen=True):
    """`faults`: events and pairs it failed on, since the start. `rests_s`: so long it is not asked, because it hung."""

    name: str
    version: str
    faults: int
    fault: str | None
    fault_at: str | None
    slow: int
    slowest_s: float
    rests_s: int


class RunningPlugins(msgspec.Struct, frozen=True):
    """`faults` says by name why others could not be loaded."""

    plugins: tuple[RunningPlugin, ...]
    faults: Mapping[str, str]


async def _list(office: Office, _: ListPlugins) -> RunningPlugins:
    now, now_ms = office.plugins.asker.timer(), office.clock.now_ms()
    running = tuple(
        RunningPlugin(
            plugin.name,
            plugin.version,
            conduct.faults,
            conduct.fault,
            None if conduct.fault is None else to_iso(now_ms - round((now - conduct.fault_at) * 1000)),
            conduct.slow,
            round(conduct.slowest_s, 3),
            max(round(conduct.rests_until - now), 0) if conduct.rests_until > now else 0,
        )
        for plugin, conduct in office.plugins
    )
    return RunningPlugins(running, office.plugins.faults)


LIST = Operation("plugin.list", ListPlugins, RunningPlugins, _list)
