"""The commands for people: each says one operation, and prints its answer."""

from __future__ import annotations

from collections.abc import Mapping

from core.commands.door import Named

COMMANDS: Mapping[str, Named] = {
    "backup": Named("core.commands.backup:backup", "Copy the ledger, while `serve` runs or not, and check the copy."),
    "completion": Named(
        "core.commands.completion:completion",
        "Print what makes a shell complete commands, options, triggers and ids.",
    ),
    "config": Named("core.commands.config:config", "Print all settings, and where each value came from."),
    "copy": Named("core.commands.copy:copy", "Copy a whole ledger, and check that both are equal."),
    "deliveries": Named("core.commands.deliveries:deliveries_group", "What was sent, and how it went."),
    "migrate": Named(
        "core.commands.migrate:migrate", "Make a ledger on PostgreSQL, or bring it to the form of this version."
    ),
    "plugins": Named(
        "core.commands.plugins:list_plugins",
        "Show installed plugins: their versions, hooks and triggers, and their faults.",
    ),
    "publish": Named("core.commands.publish:publish", "Publish portal events from a file, or from standard input."),
    "restore": Named("core.commands.backup:restore", "Make the ledger of a data directory from a backup."),
    "token": Named(
        "core.commands.tokens:token", "Say who may publish, and who may ask: make tokens, list and revoke them."
    ),
    "top": Named(
        "core.commands.top:top", "Watch `serve` at work: rates, backlog, latency, and which webhooks stand out."
    ),
    "triggers": Named(
        "core.commands.triggers:triggers", "Show what one can subscribe to, or with NAME all of one trigger."
    ),
    "users": Named("core.commands.users:users_group", "Say who is who: import the persons of a portal."),
    "webhooks": Named(
        "core.commands.webhooks:webhooks_group", "Say who is told what: make webhooks, look at them, change them."
    ),
}
