"""What all attempts under one version of a webhook share, made once."""

from __future__ import annotations

from core.model.portal_event import Received
from core.model.webhook import Webhook
from core.wire.body import target_block, webhook_block
from core.wire.signature import Signer
from delivery.sender import Target


class Prepared:
    """What all attempts under one version of a webhook share."""

    __slots__ = ("_targets", "block", "signer", "target", "webhook")

    def __init__(self, webhook: Webhook, target: Target, signer: Signer) -> None:
        self.webhook = webhook
        self.target = target
        self.signer = signer
        self.block = webhook_block(webhook)
        self._targets: dict[tuple[type, str | None], bytes] = {}

    def target_block(self, received: Received) -> bytes:
        """The member `target`: it differs with its type and how the event types its id, and with nothing else."""
        target, targets = self.webhook.target, received.targets
        if target is None:
            return b""
        if len(targets) != 1:
            return target_block(self.webhook, received)
        key = (type(targets[0]) if str(targets[0]) == target else bytes, received.target_type)
        block = self._targets.get(key)
        if block is None:
            block = self._targets[key] = target_block(self.webhook, received)
        return block
