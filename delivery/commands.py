"""The commands beside `serve`: receive for people, make the views anew, measure, show all of it."""

from __future__ import annotations

import click

from delivery.bench.command import bench
from delivery.demo.command import demo
from delivery.listen import listen
from delivery.rebuilding import rebuild

commands: list[click.Command] = [bench, demo, listen, rebuild]
