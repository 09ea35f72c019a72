"""What is planned of topics, and what is said of those that are otherwise."""

from __future__ import annotations

import pytest

from core.errors import InvalidInputError
from delivery.kafka.cluster import Hidden, TopicSeen
from delivery.kafka_setup.differences import found
from delivery.kafka_setup.plan import Asked, planned

NAMES = Asked(("portal.events",), "portal.events.dead", "webhook.deliveries", "webhook.ledger")
MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000


def plan_of(name, brokers=3, asked=NAMES):
    return next(plan for plan in planned(asked, brokers) if plan.name == name)


def seen(plan, partitions=None, replication=None, without=(), **settings):
    said = {**plan.settings, **{name.replace("_", "."): str(value) for name, value in settings.items()}}
    kept = {name: value for name, value in said.items() if name not in without}
    return TopicSeen(partitions or plan.partitions, replication or plan.replication, kept)


@pytest.mark.parametrize(("brokers", "copies", "in_sync"), [(1, 1, "1"), (2, 2, "1"), (3, 3, "2"), (9, 3, "2")])
def test_copies_are_as_many_as_brokers_allow(brokers, copies, in_sync):
    """Three where there are three brokers; what is acknowledged is then on two, and one may be away."""
    for plan in planned(NAMES, brokers):
        assert (plan.replication, plan.settings["min.insync.replicas"]) == (copies, in_sync)


def test_no_topic_of_ours_is_compacted_and_deliveries_are_kept_shortest():
    """Compaction would remove events; a delivery's record is worth nothing after its minute."""
    plans = {plan.name: plan for plan in planned(NAMES, 3)}
    assert {plan.settings["cleanup.policy"] for plan in plans.values()} == {"delete"}
    kept = {name: int(plan.settings["retention.ms"]) for name, plan in plans.items()}
    assert kept == {
        "portal.events": 7 * DAY,
        "portal.events.dead": 30 * DAY,
        "webhook.deliveries": HOUR,
        "webhook.ledger": 7 * DAY,
    }


def test_every_name_is_a_topic_of_its_own():
    """Also several topics of events."""
    asked = NAMES._replace(events=("a", "b", "a"), partitions=5, replication=2)
    plans = planned(asked, 3)
    assert [plan.name for plan in plans] == ["a", "b", "portal.events.dead", "webhook.deliveries", "webhook.ledger"]
    assert [plan.partitions for plan in plans] == [5, 5, 3, 5, 5]
    assert {plan.replication for plan in plans} == {2}


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        (NAMES._replace(events=("portal events",)), "'portal events' is no name"),
        (NAMES._replace(ledger=".."), "no name"),
        (NAMES._replace(dead="x" * 250), "no name"),
        (NAMES._replace(ledger="portal.events"), "'portal.events' is named for two things"),
        (NAMES._replace(deliveries="portal.events.dead"), "two things"),
        (NAMES._replace(events=("a", "portal.events.dead")), "'portal.events.dead' is named for two things"),
    ],
)
def test_names_that_cannot_be_are_refused(asked, says):
    """Before any broker is asked."""
    with pytest.raises(InvalidInputError, match=says):
        planned(asked, 3)


EVENTS, DEAD, DELIVERIES, LEDGER = "portal.events", "portal.events.dead", "webhook.deliveries", "webhook.ledger"


@pytest.mark.parametrize(
    ("name", "otherwise", "state"),
    [
        (EVENTS, {}, "same"),
        (EVENTS, {"partitions": 60}, "same"),
        (EVENTS, {"partitions": 4}, "differs"),
        (EVENTS, {"replication": 2}, "wrong"),
        (EVENTS, {"replication": 4}, "same"),
        (EVENTS, {"retention_ms": -1}, "same"),
        (EVENTS, {"retention_ms": 8 * DAY}, "same"),
        (EVENTS, {"retention_ms": 6 * DAY}, "differs"),
        (EVENTS, {"retention_ms": HOUR - 1}, "wrong"),
        (EVENTS, {"retention_bytes": 1 << 40}, "differs"),
        (EVENTS, {"cleanup_policy": "compact"}, "wrong"),
        (EVENTS, {"cleanup_policy": "compact,delete"}, "wrong"),
        (EVENTS, {"message_timestamp_type": "CreateTime"}, "differs"),
        (EVENTS, {"max_message_bytes": 900_000}, "differs"),
        (EVENTS, {"max_message_bytes": 100_000}, "wrong"),
        (EVENTS, {"min_insync_replicas": 1}, "wrong"),
        (EVENTS, {"min_insync_replicas": 3}, "differs"),
        (EVENTS, {"min_insync_replicas": 4}, "wrong"),
        (EVENTS, {"without": ("min.insync.replicas", "retention.ms")}, "same"),
        (DEAD, {"max_message_bytes": 1_048_588}, "differs"),
        (DEAD, {"retention_ms": HOUR}, "wrong"),
        (DELIVERIES, {"retention_ms": 9 * MINUTE}, "wrong"),
        (DELIVERIES, {"retention_ms": 10 * MINUTE}, "same"),
        (DELIVERIES, {"retention_ms": 7 * DAY}, "differs"),
        (DELIVERIES, {"retention_ms": -1}, "differs"),
        (DELIVERIES, {"segment_ms": 7 * DAY}, "differs"),
        (DELIVERIES, {"max_message_bytes": 1_048_588}, "differs"),
        (DELIVERIES, {"max_message_bytes": 1_000_000}, "wrong"),
        (DELIVERIES, {"min_insync_replicas": 1}, "differs"),
        (LEDGER, {"cleanup_policy": "compact"}, "wrong"),
        (LEDGER, {"retention_ms": "much"}, "wrong"),
    ],
)
def test_what_differs_is_judged(name, otherwise, state):
    """`wrong` is what loses something or stands still; what is as good as planned is the same."""
    plan = plan_of(name)
    one = found(plan, seen(plan, **otherwise))
    assert one.state == state, one.text


def test_what_differs_says_how_to_mend_it():
    """All settings in one line of Kafka's own tool, partitions and copies in another; nothing where all is the same."""
    plan = plan_of(DELIVERIES)
    one = found(plan, seen(plan, partitions=1, replication=1, cleanup_policy="compact", retention_ms=MINUTE))
    assert "1 partition instead of 12" in one.text
    assert "1 copy instead of 3" in one.text
    assert "cleanup.policy is compact instead of delete" in one.text
    named = "--entity-type topics --entity-name webhook.deliveries"
    assert f"--alter {named} --add-config cleanup.policy=delete,retention.ms=3600000" in one.mend
    assert "--alter --topic webhook.deliveries --partitions 12" in one.mend
    assert "3 replicas" in one.mend
    assert found(plan, seen(plan)).mend == found(plan, seen(plan)).text == ""


def test_partitions_that_were_asked_for_are_needed():
    """Who says how many there must be is told when there are not."""
    plan = plan_of(EVENTS, asked=NAMES._replace(partitions=12))
    assert found(plan, seen(plan, partitions=11)).state == "wrong"
    assert found(plan, seen(plan, partitions=13)).state == "same"


def test_what_cannot_be_seen_is_said():
    """No such topic, one that we may not see, and one whose settings we may not."""
    plan = plan_of(EVENTS)
    assert found(plan, None).state == "missing"
    assert found(plan, Hidden("may not"))[1:3] == ("refused", "may not")
    one = found(plan, TopicSeen(12, 3, {}))
    assert (one.state, one.text) == ("differs", "the broker does not tell its settings")
