"""`hookledger plugins`: what is installed, and how it behaves in `serve`."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import click
import msgspec

from core.commands.desk import print_json
from core.epilog import epilog
from core.loading import Loaded, Loader
from core.operations import plugins as running
from core.operator import ask_serve
from core.options import data_option, json_option
from core.printing import print_table


class InServe(msgspec.Struct, frozen=True):
    """A plugin in the `serve` that runs. `load_fault`: why it could not be loaded there."""

    version: str | None = None
    load_fault: str | None = None
    faults: int = 0
    fault: str | None = None
    fault_at: str | None = None
    slow: int = 0
    slowest_s: float = 0.0
    rests_s: int = 0


class PluginShown(msgspec.Struct, frozen=True):
    """A plugin that is installed here, or that `serve` still has. `load_fault`: why it cannot be loaded.

    `serve` None: none runs on this data directory, or it does not have the plugin."""

    name: str
    version: str | None
    hooks: tuple[str, ...]
    triggers: tuple[str, ...]
    load_fault: str | None
    serve: InServe | None


@click.command("plugins", epilog=epilog("hookledger plugins", then=["hookledger triggers"]))
@data_option
@json_option
def list_plugins(data: Path, as_json: bool) -> None:
    """Show installed plugins: their versions, hooks and triggers, and their faults.

    Whether one can be loaded is tried here and now. If `serve` runs on the data directory, it says how often each has
    failed there since the start.
    """
    told = None
    with suppress(FileNotFoundError):
        told = asyncio.run(ask_serve(data, running.LIST, running.ListPlugins()))
    found = _shown(Loader().load(), told)
    if as_json:
        print_json(found)
        return
    columns = ("plugin", "version", "hooks", "triggers", "in serve", "faults")
    print_table(
        columns,
        [
            (
                one.name,
                one.version or "–",
                ", ".join(one.hooks) or "–",
                str(len(one.triggers)),
                _in_serve(one, is_running=told is not None),
                "; ".join(_faults(one)) or "–",
            )
            for one in found
        ],
    )


def _shown(loaded: Loaded, told: running.RunningPlugins | None) -> Sequence[PluginShown]:
    in_serve: dict[str, InServe] = {}
    if told is not None:
        for one in told.plugins:
            members = msgspec.structs.asdict(one)
            del members["name"]
            in_serve[one.name] = InServe(**members)
        in_serve |= {name: InServe(load_fault=fault) for name, fault in told.faults.items()}
    here = {plugin.name: plugin for plugin in loaded.plugins}
    shown = []
    for name in sorted({*here, *loaded.faults, *in_serve}):
        plugin, fault, serving = here.get(name), loaded.faults.get(name), in_serve.get(name)
        if plugin is None:
            fault = fault or "not installed any more"
            shown.append(PluginShown(name, None, (), (), fault, serving))
        else:
            triggers = tuple(trigger.name for trigger in plugin.triggers)
            shown.append(PluginShown(name, plugin.version, tuple(plugin.hooks), triggers, None, serving))
    return shown


def _in_serve(one: PluginShown, *, is_running: bool) -> str:
    if not is_running:
        return "not running"
    if one.serve is None:
        return "not there; start it again"
    if one.serve.version is None:
        return "not loaded"
    return one.serve.version if one.serve.version == one.version else f"{one.serve.version}; start it again"


def _faults(one: PluginShown) -> list[str]:
    """What is wrong with it, here first."""
    faults = [] if one.load_fault is None else [one.load_fault]
    serve = one.serve
    if serve is None:
        return faults
    if serve.load_fault not in (None, one.load_fault):
        faults.append(f"in serve: {serve.load_fault}")
    if serve.rests_s:
        faults.append(f"hung, and is not asked for {serve.rests_s} s more")
    if serve.faults:
        faults.append(f"failed {serve.faults} times, the last at {serve.fault_at}: {serve.fault}")
    if serve.slow:
        faults.append(f"was slow {serve.slow} times, at most {serve.slowest_s:.1f} s")
    return faults
