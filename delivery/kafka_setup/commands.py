"""`hookledger kafka`: what people do with Kafka: make its topics, see what is in them, and how far they are read."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from core.commands.desk import print_json
from core.epilog import epilog
from core.errors import InvalidInputError, LedgerError
from core.options import config_option, json_option, setting_option
from core.printing import many, one_line, print_table
from delivery.kafka_setup import asyncapi as documents
from delivery.kafka_setup.differences import WELL, Found
from delivery.kafka_setup.made import looked_at, made
from delivery.kafka_setup.plan import TOPIC_PARTITIONS_MAX, TOPIC_REPLICATION_MAX, Asked, planned

if TYPE_CHECKING:  # what it imports is an extra
    from delivery.kafka.admin import Admin


@click.group("kafka")
def kafka_group() -> None:
    """Set up Kafka's topics, and look at them."""


@kafka_group.command(
    epilog=epilog(
        "hookledger kafka init --kafka broker-1:9092,broker-2:9092",
        "hookledger kafka init --dry-run --json",
        then=["hookledger serve --kafka broker-1:9092,broker-2:9092"],
    )
)
@config_option
@setting_option("kafka")
@setting_option("inbox_topic")
@setting_option("inbox_dead_topic")
@setting_option("deliveries_topic")
@setting_option("ledger_topic")
@click.option(
    "--partitions",
    type=click.IntRange(1, TOPIC_PARTITIONS_MAX),
    help="Partitions of the topics that processes share; without it 12.",
)
@click.option(
    "--replication",
    type=click.IntRange(1, TOPIC_REPLICATION_MAX),
    help="Copies of each partition; without it 3, or as many as there are brokers.",
)
@click.option("--dry-run", is_flag=True, help="Only say what would be made, and what differs.")
@json_option
@click.pass_context
def init(
    context: click.Context,
    kafka: str | None,
    inbox_topic: Sequence[str],
    inbox_dead_topic: str,
    deliveries_topic: str,
    ledger_topic: str,
    partitions: int | None,
    replication: int | None,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Make the topics that are missing, and say what differs in those that exist.

    Nothing that exists is changed. Exit code 1 when a topic is not as it must be to work well: what would mend it
    stands behind it.
    """
    asked = Asked(inbox_topic, inbox_dead_topic, deliveries_topic, ledger_topic, partitions, replication)
    planned(asked, brokers=1)  # names that cannot be are said before a broker is asked
    with _admin(kafka) as admin:
        plans = planned(asked, admin.brokers())
        ways = looked_at(admin, plans) if dry_run else made(admin, plans)
    if as_json:
        print_json([_as_json(one) for one in ways])
    else:
        width = max(len(one.plan.name) for one in ways)
        for one in ways:
            click.echo(f"{one.state:8}  {one.plan.name:{width}}  {_line(one)}")
    if any(one.state not in WELL for one in ways):
        context.exit(1)


@kafka_group.command(
    epilog=epilog("hookledger kafka lag --kafka broker-1:9092,broker-2:9092", "hookledger kafka lag --json")
)
@config_option
@setting_option("kafka")
@setting_option("inbox_topic")
@setting_option("inbox_group")
@setting_option("deliveries_topic")
@setting_option("deliveries_group")
@json_option
def lag(
    kafka: str | None,
    inbox_topic: Sequence[str],
    inbox_group: str,
    deliveries_topic: str,
    deliveries_group: str,
    as_json: bool,
) -> None:
    """Show how far inboxes and workers have read, and how much lies before them; exit code 1: a topic is not there."""
    read: dict[str, list[str]] = {inbox_group: list(dict.fromkeys(inbox_topic))}
    # Both may share one group.
    read[deliveries_group] = [*read.get(deliveries_group, []), deliveries_topic]
    with _admin(kafka) as admin:
        standings = admin.standings(read)
    there = {one.topic for one in standings}
    missing = dict.fromkeys(topic for topics in read.values() for topic in topics if topic not in there)
    for topic in missing:
        click.echo(f"there is no topic {topic}, or we may not see it: `hookledger kafka init` says which", err=True)
    if as_json:
        print_json([one._asdict() for one in standings])
        sys.exit(1 if missing else 0)
    numbers = [(one.committed, one.end, one.lag, "–" if one.members is None else one.members) for one in standings]
    rows = [(one.group, one.topic, *map(str, said)) for one, said in zip(standings, numbers, strict=True)]
    print_table(("group", "topic", "committed", "end", "lag", "members"), rows)
    sys.exit(1 if missing else 0)


@kafka_group.command(epilog=epilog("hookledger kafka asyncapi > asyncapi.json"))
def asyncapi() -> None:
    """Print what is in each topic, as an AsyncAPI 3 document."""
    click.echo(documents.text(), nl=False)


def _admin(servers: str | None) -> Admin:
    """InvalidInputError when nobody says where Kafka is, LedgerError when it is not there."""
    if servers is None:
        raise InvalidInputError("say where Kafka is with --kafka HOST:PORT, or HOOKLEDGER_KAFKA")
    try:
        from delivery.kafka.admin import Admin  # noqa: PLC0415 -- an extra
        from delivery.kafka.settings import read  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise LedgerError(f"Kafka needs kafka-python: pip install 'hookledger[kafka]' ({error})") from None
    return Admin(read(servers, os.environ))


def _line(one: Found) -> str:
    plan = one.plan
    if one.state in ("differs", "wrong", "refused"):
        return one_line(one.text) + (f"; mend it with {one.mend}" if one.mend else "")
    sizes = f"{many(plan.partitions, 'partition')}, {many(plan.replication, 'copy', 'copies')}"
    settings = " ".join(f"{name}={value}" for name, value in plan.settings.items())
    return f"{sizes}, {settings}"


def _as_json(one: Found) -> dict[str, object]:
    return {
        "topic": one.plan.name,
        "use": one.plan.use,
        "state": one.state,
        "text": one.text,
        "mend": one.mend,
        "partitions": one.plan.partitions,
        "replication": one.plan.replication,
        "settings": one.plan.settings,
    }
