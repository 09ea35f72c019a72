"""The Dockerfile as what it says: its instructions, stage by stage."""

from __future__ import annotations

import json
from typing import NamedTuple

from tests.tidy.tree import ROOT


class Said(NamedTuple):
    """One instruction: its word, and what stands behind it, on one line."""

    word: str
    rest: str


def stages() -> list[list[Said]]:
    """What each stage says, from its FROM on; what stands before the first is left out."""
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    kept = "\n".join(line for line in text.splitlines() if not line.startswith("#"))
    found: list[list[Said]] = []
    for line in kept.replace("\\\n", " ").splitlines():
        word, _, rest = line.strip().partition(" ")
        if word == "FROM":
            found.append([])
        if word and found:
            found[-1].append(Said(word, " ".join(rest.split())))
    return found


def said(stage: list[Said], word: str) -> list[str]:
    """All that a stage says with this word."""
    return [one.rest for one in stage if one.word == word]


def environment(stage: list[Said]) -> dict[str, str]:
    """What a stage sets, but for the path of programs."""
    pairs = [pair.partition("=") for rest in said(stage, "ENV") for pair in rest.split()]
    return {name: value for name, _, value in pairs if name != "PATH"}


def health_check(stage: list[Said]) -> list[str]:
    """The words of the command that says whether a container is well."""
    (rest,) = said(stage, "HEALTHCHECK")
    words: list[str] = json.loads(rest.partition("CMD ")[2])
    return words
