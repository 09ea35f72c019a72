"""How plugins are found, and what is refused before anything starts."""

from __future__ import annotations

from types import ModuleType

import pytest

from core.errors import PluginError
from core.loading import load_plugins
from hookledger import Reading, Trigger, hookimpl


def a_plugin(*triggers, **hooks):
    """A plugin of one file: a module with the hooks given, and a read_event where there are triggers."""
    module = ModuleType("kites")
    if triggers:
        hooks = {"register_triggers": lambda: list(triggers), "read_event": lambda events: []} | hooks
    for name, hook in hooks.items():
        setattr(module, name, hookimpl(hook))
    return module


def load(*plugins):
    return load_plugins(only=(), extra={f"plugin{number}": plugin for number, plugin in enumerate(plugins, 1)})


def kite(**fields):
    return Trigger(**({"name": "kite.torn", "order": 100} | fields))


KITES = """
from hookledger import Reading, Trigger, hookimpl

@hookimpl
def register_triggers():
    return [Trigger(name="kite.torn", order=15, bit=36)]

@hookimpl
def read_event(events):
    return [Reading(payload={}, target_type="kite") for _ in events]
"""


def test_installed_plugins_are_found_with_their_versions(distribution):
    """An entry point is all it takes; a plugin has its distribution's version, ours have hookledger's."""
    ours = {"users": "plugins.users", "rooms": "plugins.rooms", "files": "plugins.files"}
    distribution("hookledger", "9.8.7", ours)
    distribution("kites", "1.2", {"kites": "kites_of_test"}, {"kites_of_test": KITES})
    plugins = load_plugins()
    assert plugins.versions().items() >= {"users": "9.8.7", "rooms": "9.8.7", "files": "9.8.7", "kites": "1.2"}.items()
    assert plugins.triggers["kite.torn"][1:] == ("kites", "1.2")
    assert plugins.triggers["file.created"][1:] == ("files", "9.8.7")
    names = list(plugins.triggers)
    assert names.index("user.deleted") < names.index("kite.torn") < names.index("group.created")


def test_only_those_named_are_loaded(distribution):
    """The others are not even imported; a name that nobody offers is an error."""
    modules = {"kites_of_test": KITES, "kites_broken": "raise RuntimeError('no wind')"}
    distribution("kites", "1.2", {"kites": "kites_of_test", "broken": "kites_broken"}, modules)
    assert load_plugins(only=["kites"]).versions() == {"kites": "1.2"}
    assert load_plugins(only=()).versions() == {}
    with pytest.raises(PluginError, match="plugin 'swings': no installed distribution offers it"):
        load_plugins(only=["kites", "swings"])


def test_a_plugin_that_cannot_be_imported_is_named(distribution):
    """Whatever its import raises is told beside its name; of several, always the first by name."""
    modules = {"kites_broken": "raise RuntimeError('no wind')"}
    distribution("kites", "1.2", {"broken": "kites_broken", "missing": "kites_missing"}, modules)
    with pytest.raises(PluginError, match="plugin 'broken': kites_broken cannot be imported: RuntimeError: no wind"):
        load_plugins(only=["broken"])
    with pytest.raises(PluginError, match=r"plugin 'missing': .*No module named 'kites_missing'"):
        load_plugins(only=["missing"])
    with pytest.raises(PluginError, match="plugin 'broken'"):
        load_plugins(only=["missing", "broken"])


def test_two_distributions_cannot_offer_the_same_name(distribution):
    """Which of them would read an event must not depend on the order of folders."""
    distribution("kites", "1.2", {"kites": "kites_of_test"}, {"kites_of_test": KITES})
    distribution("other-kites", "1", {"kites": "kites_of_others"})
    with pytest.raises(PluginError, match="plugin 'kites': two distributions offer one"):
        load_plugins(only=["kites"])


def test_a_plugin_may_be_handed_over():
    """Tests and demos pass a plugin itself; its version is what it says, or 0."""
    plugin = a_plugin(kite())
    plugin.__version__ = "3.1"
    plugins = load_plugins(only=(), extra={"kites": plugin, "silent": a_plugin(can_see=lambda pairs: [])})
    assert plugins.versions() == {"kites": "3.1", "silent": "0"}
    assert plugins.has_can_see


def test_an_object_may_be_a_plugin(nobody, a_portal_event):
    """Hooks may be methods, and name only the arguments they need, in any order."""

    class Kites:
        @hookimpl
        def register_triggers(self):
            return [kite()]

        @hookimpl
        def read_event(self, directory, events):
            assert directory is nobody
            return [Reading(payload={"id": event.id}, target_type="kite") for event in events]

    plugins = load(Kites())
    assert plugins.read([a_portal_event("kite.torn")], nobody)[0].payload == {"id": "e1"}


def test_the_catalogue_is_sorted():
    """By order, then by name, whoever registered them first."""
    plugins = load(a_plugin(kite(name="kite.lost", order=5), kite(name="kite.torn")), a_plugin(kite(name="a.b")))
    assert list(plugins.triggers) == ["kite.lost", "a.b", "kite.torn"]


@pytest.mark.parametrize("bit", [None, 36, 62])
def test_free_bits_may_be_claimed(bit):
    """Third parties have the bits 36 to 62, or none."""
    assert load(a_plugin(kite(bit=bit))).triggers["kite.torn"].trigger.bit == bit


def test_anybody_may_register_docspaces_triggers():
    """Who replaces our plugins keeps DocSpace's numbers."""
    assert load(a_plugin(kite(name="form.filled.out", bit=29))).triggers["form.filled.out"].plugin == "plugin1"


@pytest.mark.parametrize(
    ("fields", "fault"),
    [
        ({"name": "kite"}, "has a name that is not noun.verb"),
        ({"name": "Kite.flown"}, "has a name that is not noun.verb"),
        ({"name": "kite.torn\n"}, "has a name that is not noun.verb"),
        ({"name": "*"}, "has a name that is not noun.verb"),
        ({"name": "kite.f-l"}, "has a name that is not noun.verb"),
        ({"name": None}, "has a name that is not noun.verb"),
        ({"bit": -1}, "has a bit that is not 0 to 62"),
        ({"bit": 63}, "has a bit that is not 0 to 62"),
        ({"bit": True}, "has a bit that is not 0 to 62"),
        ({"bit": 35}, "claims bit 35, which belongs to 'folder.downloaded': 36 and up are free"),
        ({"bit": 0}, "claims bit 0, which belongs to 'user.created'"),
        ({"name": "file.created", "bit": 40}, "needs the bit 7, DocSpace's number for it"),
        ({"name": "file.created"}, "needs the bit 7, DocSpace's number for it"),
        ({"roles": ("admin", "boss")}, "has the unknown role 'boss'"),
        ({"roles": "admin"}, "needs roles that are a collection"),
        ({"order": "first"}, "needs an order that is an int"),
        ({"changes_directory": "no"}, "needs a changes_directory that is a bool"),
    ],
)
def test_a_trigger_that_cannot_be_is_refused(fields, fault):
    """The error names the plugin, the trigger, and what is wrong with it."""
    with pytest.raises(PluginError, match=f"plugin 'plugin1': trigger .* {fault}"):
        load(a_plugin(kite(**fields)))


def test_names_and_bits_are_taken_once():
    """A second plugin cannot take what a first has; nor can a plugin take its own twice."""
    with pytest.raises(PluginError, match=r"'plugin2': trigger 'kite\.torn' is registered by 'plugin1' too"):
        load(a_plugin(kite()), a_plugin(kite()))
    with pytest.raises(PluginError, match=r"'plugin1': trigger 'kite\.torn' is registered by 'plugin1' too"):
        load(a_plugin(kite(), kite()))
    lost = kite(name="kite.lost", bit=40)
    with pytest.raises(PluginError, match=r"'plugin2': .* claims bit 40 of 'kite.torn' \(plugin 'plugin1'\)"):
        load(a_plugin(kite(bit=40)), a_plugin(lost))


async def asynchronous(events):
    return []


def generator(events):
    yield None


def nothing():
    return []


@pytest.mark.parametrize(
    ("plugin", "fault"),
    [
        (a_plugin(kite(), register_trigers=nothing), "unknown hook 'register_trigers'"),
        (a_plugin(kite(), read_event=lambda usr: []), "usr"),
        (a_plugin(register_triggers=lambda: [kite()]), "registers triggers and has no read_event"),
        (a_plugin(register_triggers=lambda: None, read_event=nothing), "register_triggers failed: TypeError"),
        (a_plugin("kite.torn"), "registers str, not a Trigger"),
        (a_plugin(kite(), read_event=asynchronous), "read_event is asynchronous or a generator"),
        (a_plugin(kite(), read_event=generator), "read_event is asynchronous or a generator"),
        (a_plugin(), "implements no hook"),
    ],
)
def test_a_plugin_that_cannot_work_is_refused(plugin, fault):
    """What would fail at each event fails at the start, under the plugin's name."""
    with pytest.raises(PluginError, match=f"plugin 'plugin1': .*{fault}"):
        load(plugin)


def test_a_plugin_asks_for_itself_only():
    """A wrapper around other plugins' hooks would never be called, and so is refused; so is a second read_event."""
    wrapper, twice = a_plugin(kite()), a_plugin(kite())
    wrapper.read_event = hookimpl(generator, wrapper=True)
    with pytest.raises(PluginError, match="plugin 'plugin1': read_event is a wrapper"):
        load(wrapper)
    twice.also = hookimpl(lambda events: [], specname="read_event")
    with pytest.raises(PluginError, match="plugin 'plugin1': implements read_event twice"):
        load(twice)


def test_one_plugin_cannot_be_loaded_under_two_names():
    """Its triggers would be registered twice."""
    plugin = a_plugin(kite())
    with pytest.raises(PluginError, match="plugin 'plugin2': "):
        load(plugin, plugin)
