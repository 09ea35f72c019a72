"""`python -m tests.scaling.spread`: how evenly work spreads that goes to a place by its key. It simulates what no
machine here can be: many workers, and many ledgers.

Webhooks go to partitions as Kafka's clients send keys (murmur2), partitions to workers in equal numbers; tenants go to
cells by the highest hash of both. How much each webhook or tenant has to do follows Zipf's law: the second half as much
as the first, the third a third.
"""

from __future__ import annotations

import random
import statistics
import sys
from collections.abc import Sequence
from hashlib import sha256

from kafka.partitioner.default import murmur2

SHARE_MAX = 0.02
"""The largest of them has at most this share of all: one webhook's window is a worker's business, not a cluster's."""
ROUNDS = 20


def zipf(count: int) -> list[float]:
    """Shares of so many, falling, none above SHARE_MAX as far as that can be; they sum up to 1."""
    shares = [1 / rank for rank in range(1, count + 1)]
    for _ in range(20):
        total = sum(shares)
        shares = [min(share / total, max(SHARE_MAX, 1 / count)) for share in shares]
    return [share / sum(shares) for share in shares]


def busiest(loads: Sequence[float]) -> float:
    """How much more the busiest has to do than the average."""
    return max(loads) * len(loads) / sum(loads)


def workers_share(shares: Sequence[float], partitions: int, workers: int, first: int) -> float:
    """Webhooks numbered from *first* on, in steps as positions in a ledger have; the busiest of the workers."""
    loads = [0.0] * workers
    number = first
    for share in shares:
        number += 1 + number % 97
        loads[(murmur2(b"%d" % number) & 0x7FFFFFFF) % partitions * workers // partitions] += share
    return busiest(loads)


def cells_share(shares: Sequence[float], cells: int, seed: int) -> float:
    """The busiest of the cells."""
    loads = [0.0] * cells
    for tenant, share in enumerate(shares):
        weights = [sha256(b"%d %d %d" % (seed, tenant, cell)).digest()[:8] for cell in range(cells)]
        loads[weights.index(max(weights))] += share
    return busiest(loads)


def main() -> int:
    dice = random.Random(7)
    print("workers: times the average that the busiest has; median, and worst of", ROUNDS)
    for webhooks, partitions, workers in (
        (1_000, 12, 3), (1_000, 12, 12), (1_000, 48, 12), (10_000, 48, 12), (10_000, 240, 24), (100_000, 240, 24),
    ):  # fmt: skip
        shares = zipf(webhooks)
        rounds = [workers_share(shares, partitions, workers, dice.randrange(1, 10**6)) for _ in range(ROUNDS)]
        print(f"{webhooks:8,} webhooks {partitions:4} partitions {workers:3} workers "
              f"{statistics.median(rounds):5.2f} {max(rounds):5.2f}")  # fmt: skip
    print("cells: the same, of tenants")
    for tenants, cells in ((1_000, 10), (10_000, 10), (10_000, 100)):
        shares = zipf(tenants)
        rounds = [cells_share(shares, cells, seed) for seed in range(ROUNDS)]
        print(f"{tenants:8,} tenants {cells:4} cells {statistics.median(rounds):5.2f} {max(rounds):5.2f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
