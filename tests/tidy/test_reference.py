"""Everything one can type, set, meet or be refused by is on one page, and has a sentence that says what it is."""

from __future__ import annotations

import click

from delivery.kafka_setup import asyncapi
from tests.tidy.reference import BOUNDS, LIMITS, NOT_THE_SERVICE, PAGE, TOPICS, all_commands, constants, page
from tests.tidy.tree import of_product


def test_the_reference_says_what_the_code_says():
    """docs/reference.md is what `make reference` would write now."""
    assert PAGE.read_text(encoding="utf-8") == page(), "run `make reference`, and read what it changed"


def test_the_topics_are_those_of_the_code():
    """docs/asyncapi.json is what `make reference` would write now."""
    assert TOPICS.read_text(encoding="utf-8") == asyncapi.text(), "run `make reference`, and read what it changed"


def test_every_command_and_flag_says_what_it_is():
    """No command and no flag is without its sentence."""
    silent = [
        f"{path} {parameter.opts[-1]}" if parameter else path
        for path, command, context in all_commands()
        for parameter in (None, *command.get_params(context))
        if not isinstance(parameter, click.Argument) and not (parameter or command).help
    ]
    assert silent == []


def test_every_limit_says_what_it_bounds():
    """No limit is without its docstring."""
    silent = [
        f"{source.path}: {name}"
        for source in of_product()
        if not str(source.path).startswith(NOT_THE_SERVICE)
        for name, _, said in constants(source)
        if not said and (source.path == LIMITS or BOUNDS.match(name))
    ]
    assert silent == []


def test_the_page_names_each_command():
    """The page has a heading for every command that can be typed, so that it cannot be empty unnoticed."""
    text = page()
    leaves = [path for path, command, _ in all_commands() if not isinstance(command, click.Group)]
    assert len(leaves) > 5
    assert [path for path in leaves if f"### {path}\n" not in text] == []
