"""What is wanted of topics beside what is there: what differs, whether it works all the same, how to mend it; pure."""

from __future__ import annotations

from math import inf
from typing import Literal, NamedTuple

from core.printing import many
from delivery.kafka.cluster import Hidden, TopicSeen
from delivery.kafka_setup.plan import Number, Rule, TopicPlan

State = Literal["created", "same", "differs", "wrong", "missing", "refused"]
"""`differs` works all the same, `wrong` does not work well, `refused` could not be looked at or made."""
WELL: tuple[State, ...] = ("created", "same", "differs")


SERVER = "--bootstrap-server HOST:PORT"
"""What each of Kafka's own tools has to be told."""


class Difference(NamedTuple):
    """One thing that is otherwise than planned, in words. *setting* is what would mend it, if a setting can."""

    text: str
    is_fault: bool
    setting: str | None = None


class Found(NamedTuple):
    """What is said of one topic."""

    plan: TopicPlan
    state: State
    text: str = ""
    mend: str = ""


def found(plan: TopicPlan, seen: TopicSeen | Hidden | None) -> Found:
    """*seen* None: there is no such topic."""
    if seen is None:
        return Found(plan, "missing")
    if isinstance(seen, Hidden):
        return Found(plan, "refused", seen.reason)
    differences = compared(plan, seen)
    if not differences:
        return Found(plan, "same")
    state: State = "wrong" if any(one.is_fault for one in differences) else "differs"
    return Found(plan, state, "; ".join(one.text for one in differences), _mend(plan, seen, differences))


def compared(plan: TopicPlan, seen: TopicSeen) -> list[Difference]:
    """What is not as good as planned; a setting that the broker does not tell of is taken as planned."""
    differences = []
    if seen.partitions < plan.partitions:
        is_fault = seen.partitions < plan.partitions_needed
        text = (
            f"{many(seen.partitions, 'partition')} instead of {plan.partitions}: so many processes can share it at most"
        )
        differences.append(Difference(text, is_fault))
    if seen.replication < plan.replication:
        copies = many(seen.replication, "copy", "copies")
        text = f"{copies} instead of {plan.replication}: it is away, or lost, with a broker"
        differences.append(Difference(text, is_fault=True))
    for rule in plan.rules:
        value = seen.settings.get(rule.name)
        if value is not None and (difference := _judged(rule, value)) is not None:
            differences.append(difference)
    if not seen.settings:
        differences.append(Difference("the broker does not tell its settings", is_fault=False))
    return differences


def _judged(rule: Rule, value: str) -> Difference | None:
    if isinstance(rule, Number):
        number = _number(value)
        if value == str(rule.value) or rule.fine <= number <= rule.fine_most:
            return None
        is_fault = not rule.needed <= number <= rule.needed_most
    else:
        if value == rule.value:
            return None
        is_fault = rule.is_needed
    text = f"{rule.name} is {value} instead of {rule.value}: {rule.why}"
    return Difference(text, is_fault, f"{rule.name}={rule.value}")


def _number(value: str) -> float:
    """-1 is without end; what is no number is as bad as can be."""
    try:
        number = int(value)
    except ValueError:
        return -inf
    return inf if number == -1 else number


def _mend(plan: TopicPlan, seen: TopicSeen, differences: list[Difference]) -> str:
    """What an operator types, for all of it that one line can mend."""
    settings = [one.setting for one in differences if one.setting is not None]
    lines = []
    if settings:
        named = f"--entity-type topics --entity-name {plan.name} --add-config {','.join(settings)}"
        lines.append(f"kafka-configs.sh {SERVER} --alter {named}")
    if seen.partitions < plan.partitions:
        lines.append(f"kafka-topics.sh {SERVER} --alter --topic {plan.name} --partitions {plan.partitions}")
    if seen.replication < plan.replication:
        lines.append(f"kafka-reassign-partitions.sh, which gives its partitions {plan.replication} replicas")
    return "; ".join(lines)
