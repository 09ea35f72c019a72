"""The numbers of webhooks and deliveries, as they are typed."""

from __future__ import annotations

from typing import Any

import click


class _Number(click.ParamType[int]):
    """A number of something that people may take to have a name."""

    name = "NUMBER"

    def __init__(self, noun: str, listed_by: str) -> None:
        self._noun, self._listed_by = noun, listed_by

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        try:
            return int(value)
        except ValueError:
            self.fail(f"{value!r} is no number: `{self._listed_by}` says the number of each {self._noun}", param, ctx)


WEBHOOK = _Number("webhook", "hookledger webhooks list")
DELIVERY = _Number("delivery", "hookledger deliveries list")
