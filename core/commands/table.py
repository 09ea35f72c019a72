"""The commands for people: each says one operation, and prints its answer."""

from __future__ import annotations

import click

from core.commands.config import config
from core.commands.deliveries import deliveries_group
from core.commands.plugins import list_plugins
from core.commands.tokens import token
from core.commands.triggers import triggers
from core.commands.webhooks import webhooks_group

commands: list[click.Command] = [token, webhooks_group, deliveries_group, triggers, list_plugins, config]
