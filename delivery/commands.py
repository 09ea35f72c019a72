"""The commands that run or look after the service: serve, receive for people, make views anew, measure, show it all."""

from __future__ import annotations

from collections.abc import Mapping

from core.commands.door import Named

COMMANDS: Mapping[str, Named] = {
    "bench": Named(
        "delivery.bench.command:bench", "Measure the pipeline beside a bare loop of POSTs, in one run on this machine."
    ),
    "dead": Named(
        "delivery.dead.commands:dead_group", "Records of Kafka that were no portal events, and giving them back."
    ),
    "demo": Named(
        "delivery.demo.command:demo", "Show all of it, from nothing, in under a minute; it leaves nothing behind."
    ),
    "kafka": Named("delivery.kafka_setup.commands:kafka_group", "Set up Kafka's topics, and look at them."),
    "listen": Named(
        "delivery.listen:listen", "Receive deliveries, verify their signatures and show them, until Ctrl-C."
    ),
    "rebuild": Named("delivery.rebuilding:rebuild", "Make all views anew from the ledger."),
    "serve": Named("delivery.serve:serve", "Take portal events in and deliver them, until SIGTERM or Ctrl-C."),
}
