"""Makes the topics that are missing, and says of each how it is; what exists is never changed."""

from __future__ import annotations

from collections.abc import Sequence

from delivery.kafka.cluster import Cluster, Exists, Hidden, NewTopic
from delivery.kafka_setup.differences import Found, found
from delivery.kafka_setup.plan import TopicPlan


def looked_at(cluster: Cluster, plans: Sequence[TopicPlan]) -> list[Found]:
    """How each is."""
    seen = cluster.topics([plan.name for plan in plans])
    return [found(plan, seen.get(plan.name)) for plan in plans]


def made(cluster: Cluster, plans: Sequence[TopicPlan]) -> list[Found]:
    """The same, after those that were missing are made. One that came meanwhile from elsewhere is looked at."""
    first = looked_at(cluster, plans)
    missing = [one.plan for one in first if one.state == "missing"]
    if not missing:
        return first
    not_made = cluster.create(
        [NewTopic(plan.name, plan.partitions, plan.replication, plan.settings) for plan in missing]
    )
    theirs = [plan for plan in missing if isinstance(not_made.get(plan.name), Exists)]
    again = {one.plan.name: one for one in looked_at(cluster, theirs)} if theirs else {}
    return [_after(one, not_made.get(one.plan.name), again) if one.state == "missing" else one for one in first]


def _after(one: Found, why: Exists | Hidden | None, again: dict[str, Found]) -> Found:
    if why is None:
        return Found(one.plan, "created")
    if isinstance(why, Hidden):
        return Found(one.plan, "refused", why.reason)
    return again[one.plan.name]
