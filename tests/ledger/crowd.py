"""Many processes on one ledger on PostgreSQL: some write, one follows, and beside them a database is looked after.

`python -m tests.ledger.crowd EVENTS [WRITERS]` plays it as large as one likes, and says what happened.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import psycopg

from core.ledger.postgres.append import PRESENT, PostgresAppender
from core.ledger.postgres.recorder import PostgresRecorder, connect
from core.ledger.read import Reader
from core.ledger.unit import Claim, Entry, StaleDirectory, Unit
from core.model.topics import Codec
from tests.builders import NOW, Books, neutral, set_person, stream
from tests.postgres import Database, drop, new_database, version

UNITS = 100
PERSON_EVERY = 6
"""In so many commits of a writer, one changes a person, and with it the directory that the others count on."""
WOKEN_S = 30
"""How long the follower waits to be woken before it says that nobody did."""
END = stream(1)
CARE = (
    "VACUUM",
    "ANALYZE",
    "CREATE INDEX CONCURRENTLY beside ON events (topic, version)",
    "DROP INDEX CONCURRENTLY beside",
)
"""In turn: at once, they deadlock with each other."""


class Outcome(NamedTuple):
    """What happened."""

    followed: list[str]
    """The stream of each event that the follower saw; it looks itself whether their positions go up without a gap."""
    answered: dict[int, list[str]]
    """What the writers were told: the streams of each unit by its first position."""
    refused: set[str]
    """Streams of units that were refused."""
    care: list[int]
    """How often each of CARE ended."""
    took_s: float


def play(database: Database, place: Path, events: int, writers: int) -> Outcome:
    """Let *writers* processes write so many events in all; a process follows, threads look after the database."""
    begun, written = time.monotonic(), threading.Event()
    care = [0] * len(CARE)
    carer = threading.Thread(target=_care, args=(database, care, written))
    follower = _started("follow", database, place / "followed")
    processes = [
        _started("write", database, place / f"written {number}", number, events // writers) for number in range(writers)
    ]
    carer.start()
    codes = [process.wait() for process in processes]
    written.set()
    carer.join()
    with Books(database) as books:
        books.append(Unit([Entry(END, 1, neutral().event)]))
    codes.append(follower.wait())
    assert codes == [0] * len(codes)
    answered, refused = {}, set()
    for number in range(writers):
        for line in (place / f"written {number}").read_text().splitlines():
            position, streams = json.loads(line)
            if position:
                assert position not in answered
                answered[position] = streams
            else:
                refused.update(streams)
    return Outcome((place / "followed").read_text().split(), answered, refused, care, time.monotonic() - begun)


def _started(what, database, *more):
    return subprocess.Popen([sys.executable, "-m", "tests.ledger.crowd", what, *database, *map(str, more)])


def _care(database, care, written):
    with psycopg.connect(database.url, autocommit=True) as connection:
        connection.execute(f"SET search_path TO {database.schema}")
        while not written.is_set():
            for number, statement in enumerate(CARE):
                connection.execute(statement)
                care[number] += 1


def write(database: Database, file: Path, number: int, events: int) -> None:
    """One process that writes: half of its units count on a directory that it and others change."""
    appender = PostgresAppender(PostgresRecorder(*database), Codec(), os.urandom(16))
    taken = commits = persons = claims = 0
    with file.open("w") as out:
        while taken < events:
            condition = appender.condition("1")
            units = []
            for each in range(UNITS):
                id = os.urandom(15)
                entries = [Entry(id + bytes([place]), 1, neutral().event) for place in range(2)]
                claims += 1
                claim = Claim("event:1", f"{number}/{claims}")
                units.append(Unit(entries, claim=claim, condition=condition if each % 2 else None))
            if commits % PERSON_EVERY == 0:
                person = Entry(stream(1_000 + number), persons + 1, set_person(f"p{number}"))
                units[-1].entries.append(person)
            commits += 1
            for unit, answer in zip(units, appender.append(units, NOW).answers, strict=True):
                streams = [f"{entry.stream.hex()}/{entry.version}" for entry in unit.entries]
                if type(answer) is int:
                    taken += len(streams)
                    persons += len(streams) == 3
                    print(json.dumps([answer, streams]), file=out)
                else:
                    assert answer == StaleDirectory("1"), answer
                    # The change of a person is made again, as the same version of the same stream.
                    print(json.dumps([0, streams[:2]]), file=out)
    appender.close()
    appender.recorder.close()


def follow(database: Database, file: Path) -> None:
    """One process that reads on whenever it is woken, until the end."""
    recorder = PostgresRecorder(*database)
    reader, position = Reader(recorder, Codec()), 0
    with closing(connect(*database)) as connection, file.open("w") as out:
        connection.execute("LISTEN hookledger")
        connection.execute(PRESENT)
        while True:
            for event in reader.after(position):
                assert event.position == position + 1, f"{event.position} after {position}"
                position += 1
                if event.stream == END:
                    recorder.close()
                    return
                print(f"{event.stream.hex()}/{event.version}", file=out)
            if reader.head() == position:
                assert list(connection.notifies(timeout=WOKEN_S, stop_after=1)), "nobody woke it"


def stand(database: Database) -> None:
    """One process that takes the ledger's lock, and stands still until somebody lets it go on."""
    with closing(connect(*database)) as connection:
        connection.execute("BEGIN")
        connection.execute("SELECT pg_advisory_xact_lock(8420, hashtext(current_schema()::text))")
        print("held", flush=True)
        sys.stdin.readline()
        try:
            connection.execute("COMMIT")
        except psycopg.Error as error:
            print(type(error).__name__, flush=True)


def main(what: str, *more: str) -> None:
    """A part of it, or all."""
    if what == "stand":
        stand(Database(*more))
        return
    if what in {"write", "follow"}:
        url, schema, file, *numbers = more
        {"write": write, "follow": follow}[what](Database(url, schema), Path(file), *map(int, numbers))
        return
    database = new_database()
    with tempfile.TemporaryDirectory() as place:
        outcome = play(database, Path(place), int(what), int(more[0]) if more else 4)
    check(outcome)
    units = len(outcome.refused) // 2
    print(
        f"PostgreSQL {version()}: {len(outcome.followed):,} events followed in {outcome.took_s:.0f} s, without a gap;"
        f" {units:,} units refused, none of them is there; VACUUM, ANALYZE and CREATE INDEX CONCURRENTLY"
        f" ended {outcome.care[-1]} times meanwhile"
    )
    drop(database)


def check(outcome: Outcome) -> None:
    """What was answered is in the ledger, where the answer says, once; nothing else is."""
    place = 1
    while place <= len(outcome.followed):
        streams = outcome.answered[place]
        assert outcome.followed[place - 1 : place - 1 + len(streams)] == streams
        place += len(streams)
    assert sum(map(len, outcome.answered.values())) == len(outcome.followed) == len(set(outcome.followed))
    assert outcome.refused, "nothing was refused"
    assert not outcome.refused & set(outcome.followed)
    assert all(outcome.care)


if __name__ == "__main__":
    main(*sys.argv[1:])
