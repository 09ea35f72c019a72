"""`python -m tests.faults.chaos`: processes on one PostgreSQL under load, while all of it is killed, paused and cut.
`--kafka`: a process for each role, and Apache Kafka between them, which is stopped, killed and emptied as well.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import sys
import tempfile
from pathlib import Path
from typing import Any

from tests.faults.chaos.kafka_world import KafkaPlan
from tests.faults.chaos.run import SHOWN_MAX, run, timed
from tests.faults.chaos.world import Plan

COUNTS = {
    "events": 20_000, "kills": 30, "stops": 5, "cuts": 50, "pauses": 3, "joins": 2,
    "broker_stops": 2, "broker_kills": 2, "empties": 1,
}  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.faults.chaos", description=__doc__)
    parser.add_argument("--kafka", action="store_true")
    for name, count in COUNTS.items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=int, default=count)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(2**32))
    parser.add_argument("--keep", type=Path, help="keep logs and data directories here")
    asked = parser.parse_args()
    print(f"seed {asked.seed}", flush=True)
    kind: Any = KafkaPlan if asked.kafka else Plan
    plan = kind(**{name: getattr(asked, name) for name in kind._fields})
    with tempfile.TemporaryDirectory() as folder:
        if asked.keep is not None:
            asked.keep.mkdir(parents=True)
        say = timed(lambda said: print(said, flush=True))
        verdict = asyncio.run(run(asked.keep or Path(folder), plan, asked.seed, say))
        say("done")
    for line in verdict.wrong[:SHOWN_MAX]:
        print(f"WRONG: {line}")
    print(f"{len(verdict.wrong)} wrong: {verdict.counts}")
    return 1 if verdict.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
