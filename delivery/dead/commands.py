"""`hookledger dead`: what could not be taken from Kafka, and giving it back once it can."""

from __future__ import annotations

import asyncio
import base64
import functools
import os
import re
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from typing import TYPE_CHECKING, Any

import click

from core.clock import to_iso
from core.commands.desk import print_json, say
from core.epilog import epilog
from core.errors import InvalidInputError, LedgerError
from core.incoming import TIME_MS_MAX
from core.limits import DEAD_SHOWN_CHARS_MAX, FEED_REFUSED_SHOWN_MAX
from core.options import config_option, json_option, setting_option
from core.printing import many, print_table
from delivery.dead.letter import Letter, letter_of
from delivery.dead.progress import Progress
from delivery.dead.retry import Fate, Retrying, progress_in, unread
from delivery.kafka.records import Record

if TYPE_CHECKING:  # what they import is an extra
    from delivery.kafka.log_reader import LogReader
    from delivery.kafka.settings import Settings

LETTERS = ("dead letter", "dead letters")
PLACE = re.compile(r"(\d{1,9})/(\d{1,18})", re.ASCII)


class PlaceType(click.ParamType[tuple[int, int]]):
    """`PARTITION/OFFSET`."""

    name = "place"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, int]:
        found = PLACE.fullmatch(value)
        if found is None:
            self.fail(f"{value!r} is no place, which is PARTITION/OFFSET, as `dead list` shows it", param, ctx)
        return int(found[1]), int(found[2])


def kafka_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The settings that say where the dead are; the command is given them as `dead_topic`, `group` and `settings`."""

    @functools.wraps(command)
    def placed(*args: Any, kafka: str | None, inbox_dead_topic: str, inbox_group: str, **said: Any) -> Any:
        return command(*args, settings=_settings(kafka), dead_topic=inbox_dead_topic, group=inbox_group, **said)

    decorated = config_option(placed)
    for name in ("inbox_group", "inbox_dead_topic", "kafka"):
        decorated = setting_option(name)(decorated)
    return decorated


@click.group("dead")
def dead_group() -> None:
    """Records of Kafka that were no portal events, and giving them back."""


@dead_group.command(
    "list",
    epilog=epilog(
        "hookledger dead list --kafka broker-1:9092",
        "hookledger dead list --kafka broker-1:9092 --limit 1000 --json",
        then=["hookledger dead retry --all --dry-run"],
    ),
)
@click.option("--limit", default=20, show_default=True, type=click.IntRange(1), help="At most so many.")
@click.option("--all", "is_all", is_flag=True, help="Those that were retried as well.")
@kafka_options
@json_option
def list_dead(limit: int, is_all: bool, settings: Settings, dead_topic: str, group: str, as_json: bool) -> None:
    """Dead letters that were not retried yet, of each partition the oldest first: where one stands, when it came there,
    where its record stood, why it is no event, and how its value begins."""
    rows: list[tuple[str, ...]] = []
    count = 0
    with _reader(settings, dead_topic, group) as reader:
        stretches, progress = reader.stretches(), progress_in(reader)
        nothing = Progress()
        total = sum(
            (nothing if is_all else progress[number]).waiting(begin, end) for number, (begin, end) in stretches.items()
        )
        for records in reader.read(stretches if is_all else unread(stretches, progress)):
            for record in records:
                is_retried = progress[record.partition].has(record.offset)
                if count < limit and (is_all or not is_retried):
                    count += 1
                    letter = letter_of(record)
                    if as_json:
                        print_json(_told(letter, is_retried=is_retried))
                    else:
                        rows.append(_row(letter))
            if count == limit:
                break
    if rows:
        print_table(("place", "when", "from", "why", "value"), rows)
    left = f"; of {total:,} in all" if count < total else ""
    say((), f"{many(count, *LETTERS)}{'' if is_all else ' not retried yet'}, in {dead_topic}{left}")


@dead_group.command(
    "retry",
    epilog=epilog(
        "hookledger dead retry 0/15 2/7 --kafka broker-1:9092",
        "hookledger dead retry --all --dry-run --kafka broker-1:9092",
        then=["hookledger dead list"],
    ),
)
@click.argument("places", metavar="[PLACE]...", type=PlaceType(), nargs=-1)
@click.option("--all", "is_all", is_flag=True, help="Every one that was not retried yet.")
@click.option("--dry-run", is_flag=True, help="Only say what would be retried.")
@setting_option("inbox_topic", "A topic that portal events are read from, to which dead letters may go back.")
@kafka_options
@json_option
def retry(
    places: tuple[tuple[int, int], ...],
    is_all: bool,
    dry_run: bool,
    inbox_topic: tuple[str, ...],
    settings: Settings,
    dead_topic: str,
    group: str,
    as_json: bool,
) -> None:
    """Give dead letters back to the topics they came from, as the records they were.

    A PLACE is PARTITION/OFFSET, as `dead list` shows it. What is retried is noted, so that `--all` does not mean it
    again. Interrupted, some of it may not be: typed again, these go back twice, and what of their events is recorded
    already is a duplicate.
    """
    if bool(places) == is_all:
        raise click.UsageError("name letters by their places, or say --all")
    counts = asyncio.run(_retry(settings, dead_topic, group, inbox_topic, places, is_trial=dry_run, as_json=as_json))
    retried, left, cut = counts
    notes = [f"{many(retried, *LETTERS)} {'would be retried' if dry_run else 'retried'}"]
    if left:
        notes.append(f"{left:,} cannot be{f', {cut:,} of them because they are cut' if cut else ''}")
    say((), "; ".join(notes))
    if left and not dry_run:
        sys.exit(1)


async def _retry(
    settings: Settings,
    dead_topic: str,
    group: str,
    topics: Sequence[str],
    places: Sequence[tuple[int, int]],
    *,
    is_trial: bool,
    as_json: bool,
) -> tuple[int, int, int]:
    """How many were retried, how many could not be, and of these how many are cut. Without *places* all are meant."""
    from delivery.kafka.producer import Producer  # noqa: PLC0415 -- an extra

    retried = left = cut = 0
    with _reader(settings, dead_topic, group) as reader:
        outgoing = None if is_trial else Producer(settings)
        try:
            retrying = Retrying(reader, outgoing, topics)
            told: AsyncIterator[list[Fate]] = retrying.named(places) if places else retrying.all()
            async for fates in told:
                for fate in fates:
                    if as_json:
                        print_json({"place": fate.place, "retried": fate.why is None and not is_trial, "why": fate.why})
                    elif fate.why is not None and left < FEED_REFUSED_SHOWN_MAX:
                        say((), f"{fate.place}: {fate.why}")
                    retried += fate.why is None
                    left += fate.why is not None
                    cut += fate.is_cut
        finally:
            if outgoing is not None:
                await outgoing.close()
    return retried, left, cut


def _settings(kafka: str | None) -> Settings:
    if kafka is None:
        raise InvalidInputError("say where Kafka is: --kafka HOST:PORT")
    try:
        from delivery.kafka.settings import read  # noqa: PLC0415 -- an extra
    except ImportError as error:
        raise LedgerError(f"dead letters need kafka-python: pip install 'hookledger[kafka]' ({error})") from None
    return read(kafka, os.environ)


def _reader(settings: Settings, topic: str, group: str) -> LogReader:
    """With the progress of retries, which is kept under a group of its own."""
    from delivery.kafka.log_reader import LogReader  # noqa: PLC0415 -- an extra

    return LogReader(settings, topic, f"{group}.dead")


def _row(letter: Letter) -> tuple[str, ...]:
    value = letter.record.value
    shown = "(no value)" if value is None else value[: 4 * DEAD_SHOWN_CHARS_MAX].decode(errors="backslashreplace")
    return (
        letter.place,
        _when(letter.record) or "",
        "" if letter.topic is None else f"{letter.topic}/{letter.partition}/{letter.offset}",
        _begin(letter.reason, 2 * DEAD_SHOWN_CHARS_MAX),
        _begin(shown, DEAD_SHOWN_CHARS_MAX),
    )


def _when(record: Record) -> str | None:
    """Whoever wrote it may have said any number, or none."""
    return to_iso(record.timestamp_ms) if 0 <= record.timestamp_ms <= TIME_MS_MAX else None


def _begin(text: str, chars_max: int) -> str:
    return text if len(text) <= chars_max else f"{text[:chars_max]}…"


def _told(letter: Letter, *, is_retried: bool) -> dict[str, Any]:
    """All of it. Bytes are text where they are UTF-8, else base64 under another name."""
    record = letter.record
    return {
        "place": letter.place,
        "at": _when(record),
        "topic": letter.topic,
        "partition": letter.partition,
        "offset": letter.offset,
        "reason": letter.reason,
        "deaths": letter.deaths,
        "cut": letter.cut,
        "retried": is_retried,
        **_bytes("key", record.key),
        "headers": [{"name": name, **_bytes("value", value)} for name, value in record.headers],
        **_bytes("value", record.value),
    }


def _bytes(name: str, value: bytes | None) -> dict[str, str | None]:
    if value is None:
        return {name: None}
    try:
        return {name: value.decode()}
    except UnicodeDecodeError:
        return {f"{name}_base64": base64.b64encode(value).decode()}
