"""What must hold where workers are elsewhere: nobody knows who made a request, and some come twice; none comes late."""

from __future__ import annotations

from itertools import pairwise

from tests.faults.chaos.judge import SLACK_S, Judge

TROUBLES = ("kill", "end", "pause", "kafka", "stop")
BLAMELESS = ("api", "inbox")
"""Who makes no requests, and hands none out."""


class KafkaJudge(Judge):
    """Of `Judge`, for the topic of deliveries."""

    def twice(self) -> int:
        """Requests that came again: only when somebody was killed, told to end, paused or cut off between, and never
        after the outcome was recorded; how many."""
        count, at = 0, dict(self._committed())
        for (id, number), came in self._came.items():
            for first, second in pairwise(came):
                count += 1
                met = [one for one in self._troubles if one.began <= second and one.ended >= first]
                if not any(one.kind in TROUBLES and not one.name.startswith(BLAMELESS) for one in met):
                    self.wrong.append(f"{id} attempt {number} came twice without a reason: {first:.3f}, {second:.3f}")
            recorded = at.get((id, number))
            if recorded is not None and came[-1] > recorded + SLACK_S:
                self.wrong.append(f"{id} attempt {number} came at {came[-1]:.3f}, and was recorded at {recorded:.3f}")
        return count
