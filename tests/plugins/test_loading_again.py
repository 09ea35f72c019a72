"""What cannot be loaded stands in nobody's way, and is tried again."""

from __future__ import annotations

import importlib
import shutil

import pytest

from core.errors import OverloadedError
from core.loading import Loader
from core.plugins import Plugins

ALL = ["broken", "kites", "swings"]
GOOD = """
from hookledger import Reading, Trigger, hookimpl

@hookimpl
def register_triggers():
    return [Trigger(name="{name}", order=15, bit={bit})]

@hookimpl
def read_event(events):
    return [Reading(payload={{}}, target_type="kite") for _ in events]
"""
KITES = GOOD.format(name="kite.torn", bit=36)
SWINGS = GOOD.format(name="swing.swung", bit=None)
HANGS = "import kites_gate\nkites_gate.gate.wait()\n"
GATE = "import threading\ngate = threading.Event()\n"


@pytest.fixture(name="install")
def _install(distribution):
    """Kites and swings that work, beside a plugin `broken` of the source given."""

    def install(source):
        modules = {"kites_good": KITES, "kites_swings": SWINGS, "kites_broken": source, "kites_gate": GATE}
        distribution("kites", "1", {"kites": "kites_good", "swings": "kites_swings"}, modules)
        distribution("broken", "1", {"broken": "kites_broken"})

    return install


def names(loaded):
    return [plugin.name for plugin in loaded.plugins]


@pytest.mark.parametrize(
    ("source", "fault"),
    [
        ("1 / 0", "kites_broken cannot be imported: ZeroDivisionError: division by zero"),
        ("import sys; sys.exit('bye')", "kites_broken cannot be imported: SystemExit: bye"),
        ("def (", "kites_broken cannot be imported: "),
        ("raise BaseException()", "kites_broken cannot be imported: BaseException"),
        ("", "implements no hook"),
        (KITES.replace("return [T", "import sys; sys.exit(3); [T"), "register_triggers failed: SystemExit: 3"),
        (KITES.replace("return [T", "return 7; [T"), "register_triggers failed: TypeError"),
        (KITES.replace('"kite.torn"', "7"), "has a name that is not noun.verb"),
        (KITES.replace("bit=36", "samples=[1]"), "needs samples that are a sequence of objects"),
        (KITES.replace("bit=36", "payload_schema=[1]"), "needs schemas that are objects"),
    ],
)
def test_one_that_is_broken_stops_no_other(source, fault, install):
    """The others are loaded; what is wrong with it is said in one line, whatever its code does."""
    install(source)
    loaded = Loader(ALL).load()
    assert names(loaded) == ["kites", "swings"]
    assert list(loaded.faults) == ["broken"]
    assert fault in loaded.faults["broken"]
    assert "\n" not in loaded.faults["broken"]


@pytest.mark.parametrize(
    ("name", "bit", "fault"),
    [
        ("kite.torn", None, "trigger 'kite.torn' is registered by 'broken' too"),
        ("kite.flown", 36, "trigger 'kite.torn' claims bit 36 of 'kite.flown' (plugin 'broken')"),
    ],
)
def test_of_two_that_want_the_same_one_is_left_out(name, bit, fault, install):
    """It is always the later one by name, and its fault names the other; once that is uninstalled, it is loaded."""
    install(GOOD.format(name=name, bit=bit))
    loader = Loader()
    loader._only = ALL
    loaded = loader.load()
    assert (names(loaded), dict(loaded.faults)) == (["broken", "swings"], {"kites": fault})
    loader._only = ["kites", "swings"]
    again = loader.load()
    assert (names(again), dict(again.faults)) == (["kites", "swings"], {})


def test_one_that_was_mended_is_loaded_the_next_time(install):
    """It is imported again; what was loaded before stays as it was."""
    install("1 / 0")
    loader = Loader(ALL)
    first = loader.load()
    assert list(first.faults) == ["broken"]
    install(GOOD.format(name="kite.mended", bit=41))
    loaded = loader.load()
    assert (names(loaded), dict(loaded.faults)) == (ALL, {})
    assert loaded.plugins[1] is first.plugins[0]


def test_a_package_that_was_mended_is_taken_anew(distribution, tmp_path):
    """What an older version of a package left behind is not mixed with the new one."""
    package = tmp_path / "kites_pack"
    package.mkdir()
    (package / "part.py").write_text("BIT = 40\n")
    (package / "__init__.py").write_text("from kites_pack import part\n1 / 0\n")
    distribution("pack", "1", {"pack": "kites_pack"})
    loader = Loader(["pack"])
    assert "ZeroDivisionError" in loader.load().faults["pack"]
    (package / "part.py").write_text("BIT = 41  # and longer, so that nobody takes the old one for it\n")
    (package / "__init__.py").write_text(
        "from kites_pack.part import BIT\n" + GOOD.format(name="kite.mended", bit="BIT")
    )
    loaded = loader.load()
    assert [trigger.bit for plugin in loaded.plugins for trigger in plugin.triggers] == [41]


def test_one_that_is_uninstalled_is_no_fault_any_more(install, tmp_path):
    """Whoever wants to do without it uninstalls it."""
    install("1 / 0")
    loader = Loader()
    assert "broken" in loader.load().faults
    shutil.rmtree(tmp_path / "broken-1.dist-info")
    assert "broken" not in loader.load().faults


def test_one_that_hangs_is_named_and_taken_when_it_comes(install):
    """The start does not wait for ever; the fault says at which line it stands; it is never imported twice at once."""
    install(HANGS + KITES.replace("kite.torn", "kite.late").replace("36", "40"))
    loader = Loader(ALL, import_s=0.1)
    loaded = loader.load()
    assert names(loaded) == ["kites", "swings"]
    fault = "kites_broken is not imported after 0.1 s (IMPORT_S), at line 2 of kites_broken"
    assert dict(loaded.faults) == {"broken": fault}
    assert dict(loader.load().faults) == {"broken": fault}
    importlib.import_module("kites_gate").gate.set()
    again = loader.load(wait_s=10)
    assert (names(again), dict(again.faults)) == (ALL, {})


def test_one_that_registers_and_hangs_is_named_too(install):
    """Not only an import may hang."""
    install("import kites_gate\n" + KITES.replace("    return [T", "    kites_gate.gate.wait()\n    return [T"))
    loaded = Loader(ALL, import_s=0.1).load()
    assert "at line 7 of kites_broken" in loaded.faults["broken"]
    importlib.import_module("kites_gate").gate.set()


def test_while_one_cannot_be_loaded_nothing_may_be_read(install):
    """It might have had a say about every event, and its types would be taken for unknown ones."""
    install("1 / 0")
    plugins = Plugins(*Loader(ALL).load())
    assert plugins.is_troubled
    with pytest.raises(OverloadedError, match="plugins that cannot be loaded: 'broken'"):
        plugins.check({"kite.torn"})
    assert plugins.reasons() == [
        "plugin 'broken' cannot be loaded, and until it is, or is uninstalled, no events are taken: "
        "kites_broken cannot be imported: ZeroDivisionError: division by zero"
    ]


def test_two_distributions_of_one_name_are_both_named(install, distribution):
    """Neither is loaded: which of them would be must not depend on the order of folders."""
    install(KITES)
    distribution("others", "1", {"broken": "kites_other"})
    loaded = Loader(ALL).load()
    assert loaded.faults["broken"] == "two distributions offer one: kites_broken and kites_other"
