"""All operations by name: what can be asked for over the operator's socket."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from core.operations import (
    deliveries,
    delivery_story,
    plugins,
    publish,
    redelivery,
    tokens,
    top,
    users,
    webhook_changes,
    webhooks,
)
from core.operations.operation import AnyOperation


def operations() -> Mapping[str, AnyOperation[Any, Any]]:
    return {
        operation.name: operation
        for operation in (
            tokens.CREATE,
            tokens.LIST,
            tokens.REVOKE,
            webhooks.CREATE,
            webhooks.LIST,
            webhooks.SHOW,
            webhook_changes.CHANGE,
            webhook_changes.ENABLE,
            webhook_changes.DISABLE,
            webhook_changes.DELETE,
            deliveries.LIST,
            deliveries.COUNT,
            delivery_story.SHOW,
            redelivery.REDELIVER,
            plugins.LIST,
            publish.PUBLISH,
            users.IMPORT,
            top.TOP,
        )
    }
