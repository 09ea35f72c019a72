"""`hookledger kafka …`: what somebody needs who sets up Kafka for hookledger, or reads its topics."""

from __future__ import annotations

import click

from core.epilog import epilog
from delivery import asyncapi as topics


@click.group("kafka")
def kafka_group() -> None:
    """Topics of Kafka: what is in them."""


@kafka_group.command(epilog=epilog("hookledger kafka asyncapi > asyncapi.json"))
def asyncapi() -> None:
    """Print what is in each topic, as an AsyncAPI 3 document."""
    click.echo(topics.text(), nl=False)
