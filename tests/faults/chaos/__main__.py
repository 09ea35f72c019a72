"""`python -m tests.faults.chaos`: processes on one PostgreSQL under load, while all of it is killed, paused and cut."""

from __future__ import annotations

import argparse
import asyncio
import random
import sys
import tempfile
from pathlib import Path

from tests.faults.chaos.run import SHOWN_MAX, run, timed
from tests.faults.chaos.world import Plan


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.faults.chaos", description=__doc__)
    for name, count in (("events", 20_000), ("kills", 30), ("stops", 5), ("cuts", 50), ("pauses", 3)):
        parser.add_argument(f"--{name}", type=int, default=count)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(2**32))
    parser.add_argument("--keep", type=Path, help="keep logs and data directories here")
    asked = parser.parse_args()
    print(f"seed {asked.seed}", flush=True)
    plan = Plan(asked.events, asked.kills, asked.stops, asked.cuts, asked.pauses)
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
