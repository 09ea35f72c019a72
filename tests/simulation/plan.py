"""What one seed draws before its life begins: how long, how busy, how much goes wrong."""

from __future__ import annotations

from random import Random

from tests.simulation import sizes
from tests.simulation.moods import MOODS

HOUR_S = 3_600.0
DAY_S = 24 * HOUR_S
LONG_EVERY = 31
"""One life in so many lasts for days."""


class Plan:
    """One life in outline. Not everything goes wrong in every life: what is calm in one is judged the more strictly."""

    def __init__(self, seed: int) -> None:
        self.seed, self.is_long = seed, seed % LONG_EVERY == 0
        random = Random(f"{seed} plan")
        self.active_s = random.uniform(1, 4) * DAY_S if self.is_long else random.uniform(1, 1.5) * HOUR_S
        """How long there is traffic, and things go wrong."""
        self.is_shuffled = random.random() < 0.5
        self.receivers = random.randint(2, 4)
        self.webhooks = random.randint(3, 6)
        self.gap_s = self.active_s / random.uniform(6, 18)
        """Between two visits of one portal, on average."""
        self.bursts = random.choice([0, 0.05, 0.2])
        self.command_gap_s = self.active_s / random.choice([4, 10, 25])
        self.mood_gap_s = self.active_s / random.choice([2, 8, 30])
        self.kill_gap_s = self.active_s / random.choice([1, 4, 10])
        self.fault_gap_s = self.active_s / random.choice([0.2, 6, 20])
        self.latency_s = random.choice([(0.0005, 0.003), (0.001, 0.05), (0.02, 0.3)])
        self.disk_s = random.choice([(0.0003, 0.003), (0.002, 0.05)])
        self.turns_clock = random.random() < 0.12
        self.young_max = random.choice([3, 8, 128])
        self.sizes = sizes.draw(random)
        self.files_max = random.choice([150, 200, 4_096])
        self.again_gap_s = self.active_s / random.choice([1, 3, 6])
        """Between two times that somebody has something sent again."""

    def mood(self, random: Random) -> str:
        """Half of all receivers are well."""
        return random.choice(["good", *MOODS]) if random.random() < 0.7 else "good"
