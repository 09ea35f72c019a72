"""Poison: records of every kind that are no events, between good ones, in every compression that Kafka has.

`python -m tests.brokers.poison [--events N] [--bad M]` writes them to a real Apache Kafka, lets a real `serve --kafka`
take them, and looks at every delivery and every dead letter. It prints a line for each compression, and fails on any
difference.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import re
import sys
import tempfile
import time
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import standardwebhooks
from aiohttp import web
from kafka import KafkaConsumer

from tests.brokers.apache import ApacheBroker
from tests.brokers.broker import Broker
from tests.brokers.odd_client import NULL, OddName, put
from tests.brokers.poison_records import Bad, bad, good
from tests.end_to_end.place import ALLOW, Place

COMPRESSIONS = (None, "gzip", "snappy", "lz4", "zstd")
PATIENCE_S = 60.0
"""How long nothing may come before something is missing."""
PARTITIONS = 3
OURS = "hookledger-"
TITLE = re.compile(rb"report ([^.\"]+)\.docx")


class Receiver:
    """Counts what comes, by the event that its title names; a signature that does not hold is an error of the run."""

    def __init__(self) -> None:
        self.verifier = ""
        self.came: Counter[str] = Counter()
        self.wrong: list[str] = []
        self.changed = asyncio.Event()

    async def hear(self, request: web.Request) -> web.Response:
        body = await request.read()
        try:
            standardwebhooks.Webhook(self.verifier).verify(body, dict(request.headers))
        except standardwebhooks.WebhookVerificationError as error:
            self.wrong.append(f"{error}: {body[:200]!r}")
        found = TITLE.search(body)
        self.came[found[1].decode() if found else repr(body)] += 1
        self.changed.set()
        return web.Response()


class Letter(NamedTuple):
    """A dead letter as it stands in its topic."""

    key: bytes | None
    value: bytes | None
    headers: list[tuple[str, bytes]]


class Run:
    """One compression: what was written, and what became of it."""

    def __init__(self, broker: Broker, compression: str | None, events: int, bad_count: int, seed: int) -> None:
        rng = random.Random(seed)
        self.broker, self.compression = broker, compression
        self.topic, self.dead_topic = broker.new_topic(PARTITIONS), broker.new_topic(PARTITIONS)
        self.ledger_topic = broker.new_topic(PARTITIONS)
        self.kinds = [*bad(bad_count, rng, is_compressed=compression is not None)]
        self.expected = {f"good{number}" for number in range(events)}
        self.expected |= {id for _, one in self.kinds for id in one.ids}
        self.events = events
        self._records: list[tuple[bytes | None, bytes | None, list]] = [good(number) for number in range(events)]
        self._order = list(range(events + len(self.kinds)))
        rng.shuffle(self._order)
        self.bad: dict[tuple[int, int], tuple[str, Bad]] = {}
        """By where they stand."""

    def write(self) -> None:
        every = [*self._records, *((one.key, one.value, one.headers) for _, one in self.kinds)]
        compression = {"compression_type": self.compression} if self.compression else {}
        placed = put(self.broker.address, self.topic, [every[index] for index in self._order], **compression)
        for index, place in zip(self._order, placed, strict=True):
            if index >= self.events:
                self.bad[place] = self.kinds[index - self.events]

    def letters(self) -> list[Letter]:
        """All dead letters, as soon as there are so many as there must be, or no more come."""
        read: list[Letter] = []
        with closing(KafkaConsumer(self.dead_topic, **self._from_the_beginning())) as consumer:
            until = time.monotonic() + PATIENCE_S
            while len(read) < len(self.bad) and time.monotonic() < until:
                for records in consumer.poll(500).values():
                    read += [Letter(one.key, one.value, one.headers) for one in records]
                    until = time.monotonic() + PATIENCE_S
            for records in consumer.poll(500).values():
                read += [Letter(one.key, one.value, one.headers) for one in records]
        return read

    def _from_the_beginning(self) -> dict[str, object]:
        return {"bootstrap_servers": self.broker.address, "auto_offset_reset": "earliest", "group_id": None}

    def wrong(self, letters: list[Letter]) -> list[str]:
        """Every difference between the dead letters and what they should be."""
        said: list[str] = []
        seen: set[tuple[int, int]] = set()
        for letter in letters:
            headers = dict(letter.headers)
            place = (int(headers[f"{OURS}partition"]), int(headers[f"{OURS}offset"]))
            if place not in self.bad or place in seen:
                said.append(f"{place}: dead {'twice' if place in seen else 'and good'}: {headers[f'{OURS}reason']!r}")
                continue
            seen.add(place)
            kind, one = self.bad[place]
            said += [f"{kind}: {what}" for what in _differences(one, letter, headers)]
        said += [f"{kind}: not dead" for place, (kind, _) in self.bad.items() if place not in seen]
        return said


def _differences(one: Bad, letter: Letter, headers: dict[str, bytes]) -> list[str]:
    reason = headers[f"{OURS}reason"].decode()
    value = None if one.value == NULL else one.value
    if value is None and one.key is None:
        value = b""
    theirs = [
        (name.raw.decode(errors="backslashreplace") if isinstance(name, OddName) else name, b"" if of == NULL else of)
        for name, of in one.headers
        if not name.startswith(OURS)
    ]
    kept = [pair for pair in letter.headers if not pair[0].startswith(OURS)]
    cut = headers.get(f"{OURS}cut")
    said = []
    if one.reason not in reason:
        said.append(f"its reason is {reason!r}, and not {one.reason!r}")
    if one.is_cut != (cut is not None):
        said.append(f"it is {'not ' if cut is None else ''}cut")
    if cut is None and (letter.key, letter.value, kept) != (one.key, value, theirs):
        said.append(f"it is not the record it was: {str(letter)[:300]}")
    if cut is not None:
        whole = value or b""
        is_begin = whole.startswith(letter.value or b"") and int(cut) == len(whole) and kept in ([], theirs)
        if not is_begin or not (one.key or b"").startswith(letter.key or b""):
            said.append(f"it is not the begin of what it was: {str(letter)[:300]}")
        if len(whole) > 1_000 and not letter.value:
            said.append("nothing is left of its value")
    return said


async def poisoned(broker: Broker, compression: str | None, events: int, bad_count: int, seed: int) -> list[str]:
    """What is wrong after such a run; prints its line."""
    began = time.monotonic()
    receiver, app = Receiver(), web.Application(client_max_size=16 * 1024 * 1024)
    app.router.add_post("/", receiver.hear)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    with tempfile.TemporaryDirectory() as folder:
        place = Place(Path(folder))
        try:
            url = f"http://127.0.0.1:{runner.addresses[0][1]}/"
            made = await place.run("webhooks", "create", "all", url, "--no-ssl", "--json", *ALLOW)
            receiver.verifier = made.json["verifier"]
            run = Run(broker, compression, events, bad_count, seed)
            await asyncio.to_thread(run.write)
            words = (
                "--inbox-topic",
                run.topic,
                "--inbox-dead-topic",
                run.dead_topic,
                "--ledger-topic",
                run.ledger_topic,
                "--inbox-group",
                f"{run.topic}-g",
            )
            serving = await place.serve("--kafka", broker.address, *words, "--log-level", "error", *ALLOW)
            letters = await asyncio.to_thread(run.letters)
            missing = await _until_all_came(receiver, run.expected)
            code = await serving.stop()
            said = (await serving.process.stderr.read()).decode()
        finally:
            await place.close()
            await runner.cleanup()
    wrong = run.wrong(letters) + receiver.wrong + [f"{id}: not delivered" for id in sorted(missing)]
    wrong += [f"{id}: delivered {n} times" for id, n in receiver.came.items() if n != 1 or id not in run.expected]
    wrong += [f"serve said: {line}" for line in said.splitlines()] + ([f"serve ended with {code}"] if code else [])
    cut = sum(f"{OURS}cut" in dict(letter.headers) for letter in letters)
    print(
        f"{compression or 'none':6}  {events:,} good, {len(receiver.came):,} events delivered and verified; "
        f"{len(run.bad):,} bad of {len({kind for kind, _ in run.kinds})} kinds, {len(letters):,} dead, {cut} cut; "
        f"{len(wrong)} wrong; {time.monotonic() - began:.1f} s",
        flush=True,
    )
    return wrong


async def _until_all_came(receiver: Receiver, expected: set[str]) -> set[str]:
    """What is missing after nothing came for long."""
    while missing := expected - receiver.came.keys():
        receiver.changed.clear()
        try:
            async with asyncio.timeout(PATIENCE_S):
                await receiver.changed.wait()
        except TimeoutError:
            return missing
    return set()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.brokers.poison", description=__doc__)
    parser.add_argument("--events", type=int, default=10_000, help="good ones, in each compression")
    parser.add_argument("--bad", type=int, default=1_000, help="bad ones between them")
    parser.add_argument("--seed", type=int, default=random.randrange(1_000_000), help="of their order and random bytes")
    said = parser.parse_args()
    broker = ApacheBroker()
    broker.start()
    print(f"{broker.version}, seed {said.seed}", flush=True)
    is_wrong = False
    try:
        for compression in COMPRESSIONS:
            wrong = asyncio.run(poisoned(broker, compression, said.events, said.bad, said.seed))
            is_wrong = is_wrong or bool(wrong)
            for line in wrong[:50]:
                print(f"    {line}", flush=True)
    finally:
        broker.stop()
        broker.end()
    sys.exit(is_wrong)


if __name__ == "__main__":
    main()
