"""All operations by name: what can be asked for over the operator's socket."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from core.operations import deliveries, plugins, tokens, webhooks
from core.operations.operation import Operation


def operations() -> Mapping[str, Operation[Any, Any]]:
    return {
        operation.name: operation
        for operation in (
            tokens.CREATE,
            webhooks.CREATE,
            webhooks.LIST,
            webhooks.SHOW,
            deliveries.LIST,
            deliveries.SHOW,
            plugins.LIST,
        )
    }
