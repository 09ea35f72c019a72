"""What tests of plugins share: our plugins as setup.cfg declares them, and a small who-is-who."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from configparser import ConfigParser
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

import pytest

from core.clock import from_iso
from core.loading import load_plugins
from core.plugins import Plugins
from core.trigger import PortalEvent, Role, Status


@dataclass(frozen=True)
class Known:
    """A person the directory knows."""

    id: str
    role: Role = "user"
    status: Status = "active"
    groups: tuple[str, ...] = ()


class WhoIsWho:
    """A directory of the persons named, and the groups they are in."""

    def __init__(self, persons: Iterable[Known]) -> None:
        self.persons = {person.id: person for person in persons}

    def person(self, id):
        return self.persons.get(id)

    def has_group(self, id):
        return any(id in person.groups for person in self.persons.values())

    def members(self, group):
        return [person.id for person in self.persons.values() if group in person.groups]


def ours() -> dict[str, object]:
    """Name → module of the entry points in setup.cfg; no install is needed to test them."""
    config = ConfigParser()
    config.read(Path(__file__).parents[2] / "setup.cfg")
    declared = config["options.entry_points"]["hookledger"].split("\n")
    pairs = [line.split("=") for line in declared if line.strip()]
    return {name.strip(): import_module(module.strip()) for name, module in pairs}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "registered" in metafunc.fixturenames:
        triggers = load_plugins(only=(), extra=ours()).triggers
        metafunc.parametrize("registered", list(triggers.values()), ids=list(triggers))


@pytest.fixture(scope="session")
def plugins() -> Plugins:
    return load_plugins(only=(), extra=ours())


@pytest.fixture(scope="session")
def known() -> type[Known]:
    return Known


@pytest.fixture(scope="session")
def who_is_who() -> Callable[..., WhoIsWho]:
    return lambda *persons: WhoIsWho(persons)


@pytest.fixture(scope="session")
def nobody() -> WhoIsWho:
    return WhoIsWho(())


@pytest.fixture(scope="session")
def a_portal_event() -> Callable[..., PortalEvent]:
    """A portal event of the plain form's members, with defaults for what a test does not care about."""

    def make(type="file.updated", data=None, *, id="e1", tenant="1", time="2026-11-23T10:00:00Z", **more):
        data = {"id": 991} if data is None else data
        return PortalEvent(id=id, type=type, tenant=tenant, time=from_iso(time), data=data, **more)

    return make


@pytest.fixture(scope="session")
def read(plugins, nobody, a_portal_event):
    """What our plugins make of one event."""

    def ask(type, data, directory=nobody, **more):
        (outcome,) = plugins.read([a_portal_event(type, data, **more)], directory)
        return outcome

    return ask


@pytest.fixture(name="distribution")
def _distribution(tmp_path, monkeypatch):
    """Installs, for one test, a distribution that has entry points and maybe a module."""
    monkeypatch.syspath_prepend(tmp_path)
    before = set(sys.modules)

    def install(name, version, entry_points, modules=()):
        info = tmp_path / f"{name}-{version}.dist-info"
        info.mkdir(exist_ok=True)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        lines = [f"{plugin} = {module}" for plugin, module in entry_points.items()]
        (info / "entry_points.txt").write_text("\n".join(["[hookledger]", *lines]))
        for module, source in dict(modules).items():
            (tmp_path / f"{module}.py").write_text(source)

    yield install
    for module in set(sys.modules) - before:
        if module.startswith("kites"):
            del sys.modules[module]
