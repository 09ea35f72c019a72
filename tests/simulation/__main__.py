"""`python -m tests.simulation`: live so many lives, or one again, and say what was broken.

It needs Python 3.12 and simloop; `make simulate` brings both.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections import Counter
from typing import Any

from core.loading import load_plugins
from tests.simulation.lives import Life, lives
from tests.simulation.plants import PLANTS, plant

FAILED_MAX = 5
"""So many seeds that fail are shown; then it is enough."""
SHOWN_MAX = 3
"""So many times that one promise was broken by one seed."""


def main() -> int:
    asked = _asked()
    if asked.plant:
        plant(asked.plant)
    began, counts, failed = time.monotonic(), Counter[str](), 0
    # Every second one is gone at once, so that new objects find other places than without them.
    stirred = [bytearray(number % 3_000) for number in range(2 * asked.stir)][::2]
    seeds = [asked.seed] if asked.seed is not None else range(asked.first, asked.first + asked.seeds)
    for life in lives(seeds, load_plugins(), jobs=asked.jobs, is_traced=asked.digest):
        if life["violations"]:
            failed += 1
            _show(life, asked)
            is_found = asked.until in [promise for promise, _, _ in life["violations"]]
            if is_found or (failed >= FAILED_MAX and not asked.until):
                break
            continue
        if asked.digest or asked.seed is not None:
            print(f"seed {life['seed']}: {life['digest']}", flush=True)
        _count(counts, life)
    del stirred
    if asked.json:
        print(json.dumps(dict(counts)))
    else:
        _sum_up(counts, time.monotonic() - began)
    return 1 if failed else 0


def _asked() -> Any:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seeds", type=int, default=310, help="how many lives")
    parser.add_argument("--first", type=int, default=1, help="the first seed")
    parser.add_argument("--seed", type=int, help="this one alone")
    parser.add_argument("--plant", choices=PLANTS, help="with this bug in the code")
    parser.add_argument("--until", metavar="PROMISE", help="stop at the first seed that breaks this promise")
    parser.add_argument("--digest", action="store_true", help="print what each life came to, as a hash")
    parser.add_argument("--stir", type=int, default=0, help="have so many objects in memory first: none may matter")
    parser.add_argument("--json", action="store_true", help="print the counts as JSON")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="lives at a time")
    return parser.parse_args()


def _show(life: Life, asked: Any) -> None:
    print(f"\nseed {life['seed']} fails:")
    shown = Counter[str]()
    for promise, how, at_s in life["violations"]:
        shown[promise] += 1
        if shown[promise] <= SHOWN_MAX:
            print(f"  {promise}: {how} (at {at_s:.3f} s)")
    for promise, count in shown.items():
        if count > SHOWN_MAX:
            print(f"  {promise}: and {count - SHOWN_MAX} more")
    print("before the first of them:")
    for line in life["story"]:
        print(line)
    print(f"again: make simulate SEED={life['seed']}" + (f" PLANT={asked.plant}" if asked.plant else ""), flush=True)


def _count(counts: Counter[str], life: Life) -> None:
    counts["lives"] += 1
    counts["long"] += life["is_long"]
    for name in ("starts", "deaths", "acknowledged", "commands", "requests", "steps"):
        counts[name] += life[name]
    counts["virtual_h"] += life["virtual_s"] / 3_600
    counts["cpu_s"] += life["cpu_s"]
    shortest = "shortest_day_s" if life["is_long"] else "shortest_s"
    counts[shortest] = min(counts[shortest] or life["active_s"], life["active_s"])


def _sum_up(counts: Counter[str], took_s: float) -> None:
    if not counts["lives"]:
        return
    print(
        f"{counts['lives'] - counts['long']} lives of at least {counts['shortest_s'] / 3_600:.2f} h"
        f" and {counts['long']} of at least {counts['shortest_day_s'] / 86_400:.2f} days as promised:"
        f" {counts['acknowledged']} events acknowledged, {counts['requests']} requests, {counts['commands']} commands,"
        f" {counts['starts']} starts, {counts['deaths']} deaths;"
        f" {counts['virtual_h']:.0f} virtual hours in {took_s:.0f} s ({counts['cpu_s']:.0f} s of CPU)"
    )


if __name__ == "__main__":
    sys.exit(main())
