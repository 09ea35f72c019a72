"""What is installed is what is in the tree, and what it needs is said."""

from __future__ import annotations

import ast
import configparser
import importlib.metadata
import re
import shutil
import subprocess
import sys
from email.parser import HeaderParser

import pytest
from setuptools import find_packages

from tests.tidy.tree import PACKAGES, ROOT, of_product, of_tests

BUILD = "import sys; from setuptools import build_meta; print(build_meta.prepare_metadata_for_build_wheel(sys.argv[1]))"


def setup_cfg():
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg", encoding="utf-8")
    return config


def lines(text):
    return [line.strip() for line in text.splitlines() if line.strip() and not line.strip().startswith("#")]


def required(text):
    """The names of the distributions in a list of requirements."""
    return {re.match(r"[\w.-]+", line)[0].lower() for line in lines(text)}


@pytest.fixture(scope="module", name="metadata")
def _metadata(tmp_path_factory):
    """What a wheel of the checkout says of itself, built beside it so that nothing is written into it."""
    copy = tmp_path_factory.mktemp("checkout")
    for name in ("setup.cfg", "pyproject.toml", "README.md", "LICENSE", "hookledger.py"):
        shutil.copy(ROOT / name, copy)
    for name in (*PACKAGES, "tests"):
        shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
    built = subprocess.run(
        [sys.executable, "-c", BUILD, str(copy)], cwd=copy, capture_output=True, text=True, check=False
    )
    assert built.returncode == 0, built.stderr
    return copy / built.stdout.splitlines()[-1]


def test_the_packages_of_setup_cfg_are_those_of_the_tree():
    """Every folder that holds code is installed, and no other."""
    find = setup_cfg()["options.packages.find"]
    found = set(find_packages(str(ROOT), include=lines(find["include"])))
    assert found == {".".join(source.path.parent.parts) for source in of_product() if source.folder}


@pytest.mark.parametrize("package", PACKAGES)
def test_the_types_of_a_package_are_seen_from_outside(package):
    """Each package says that it is typed, and the file that says so is installed with it."""
    assert (ROOT / package / "py.typed").is_file()
    assert (ROOT / package / "py.typed") in packaged(package)


def packaged(package):
    """The files beside its code that are installed with a package."""
    patterns = setup_cfg()["options.package_data"][package].split(",")
    return {file for pattern in patterns for file in (ROOT / package).glob(pattern.strip())}


def test_migrations_are_installed():
    """A database is migrated by what was installed, not by what is in a checkout."""
    migrations = set(ROOT.glob("core/**/*.sql"))
    assert migrations
    assert migrations <= packaged("core")


def test_no_test_folder_is_a_package():
    """Tests are found by their files' paths; an __init__ would make two tests of one name collide."""
    assert [str(source.path) for source in of_tests() if source.path.name == "__init__.py"] == []


def test_every_entry_point_leads_somewhere():
    """The plugins that setup.cfg names are modules of the tree."""
    points = lines(setup_cfg()["options.entry_points"]["hookledger"])
    modules = [line.partition("=")[2].strip() for line in points]
    assert modules
    folders = [ROOT / module.replace(".", "/") for module in modules]
    assert [str(f) for f in folders if not (f / "__init__.py").is_file() and not f.with_suffix(".py").is_file()] == []


def test_what_is_imported_is_required():
    """Nothing is imported that came only with something else."""
    ours = {"hookledger", *PACKAGES, *sys.stdlib_module_names}
    imported = {
        name.partition(".")[0]
        for source in of_product()
        for node in ast.walk(source.tree)
        for name in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [node.module]
            if isinstance(node, ast.ImportFrom) and node.level == 0
            else []
        )
    }
    came_with = importlib.metadata.packages_distributions()
    needed = {name: {dist.lower() for dist in came_with.get(name, [name])} for name in imported - ours}
    extras = setup_cfg()["options.extras_require"]
    declared = required(setup_cfg()["options"]["install_requires"])
    declared |= {name for extra, names in extras.items() if extra != "dev" for name in required(names)}
    assert {name for name, dists in needed.items() if not dists & declared} == set()


def test_a_wheel_says_what_setup_cfg_says(metadata):
    """The metadata of a wheel builds, with our name, version, licence and requirements."""
    config = setup_cfg()
    said = HeaderParser().parsestr((metadata / "METADATA").read_text(encoding="utf-8"))
    assert said["Name"] == config["metadata"]["name"]
    assert said["Version"] == config["metadata"]["version"]
    assert said["Requires-Python"] == config["options"]["python_requires"]
    plain = "\n".join(line for line in said.get_all("Requires-Dist") if "extra ==" not in line)
    assert required(plain) == required(config["options"]["install_requires"])
    assert said.get_all("License-File") == ["LICENSE"]


def test_a_wheel_brings_the_code_and_not_its_tests(metadata):
    """What lands in somebody's site-packages is the three packages and the door."""
    top_level = (metadata / "top_level.txt").read_text(encoding="utf-8").split()
    assert sorted(top_level) == sorted([*PACKAGES, "hookledger"])


def test_a_wheel_brings_the_command_and_the_plugins(metadata):
    """The command and our own plugins are entry points, as anybody's would be."""
    points = configparser.ConfigParser()
    points.read(metadata / "entry_points.txt", encoding="utf-8")
    assert dict(points["console_scripts"]) == {"hookledger": "hookledger:main"}
    assert dict(points["hookledger"]) == {f"{n}": f"plugins.{n}" for n in ("files", "rooms", "users")}
