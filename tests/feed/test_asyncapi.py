"""docs/asyncapi.json is an AsyncAPI document by its official schema, and says what records really are."""

from __future__ import annotations

import copy
import json
import subprocess
import sys

import pytest
from jsonschema import Draft202012Validator

from core.incoming import Checked, checked
from core.settings import Settings
from delivery.kafka.records import Record
from delivery.kafka_event import events_of_record
from delivery.ledger_topic.event import Known, message_of
from tests.feed import told
from tests.feed.schemas import ROOT, check, document, judge, official, schemas_of

KNOWN = Known({told.HOOK: told.NUMBER}.__getitem__, {told.EVENT: told.RECEIVED})


def test_it_is_an_asyncapi_document():
    """By the schema that AsyncAPI publishes; that schema finds fault with one that is none."""
    assert [error.message for error in official().iter_errors(document())] == []
    for spoil in (
        lambda spoilt: spoilt.pop("info"),
        lambda spoilt: spoilt["operations"]["tellLedger"].update(action="shout"),
        lambda spoilt: spoilt["channels"]["ledger"].update(adr="webhook.ledger"),
    ):
        spoilt = copy.deepcopy(document())
        spoil(spoilt)
        assert not official().is_valid(spoilt)


def test_all_references_lead_somewhere():
    """Within the document."""

    def references(value):
        if isinstance(value, dict):
            yield from (v for k, v in value.items() if k == "$ref")
            for one in value.values():
                yield from references(one)
        elif isinstance(value, list):
            for one in value:
                yield from references(one)

    found = [*references(document())]
    assert len(found) > 20
    for reference in found:
        at = document()
        for name in reference.removeprefix("#/").split("/"):
            at = at[name]


def test_every_schema_is_one():
    """JSON Schema's own rules hold."""
    for schema in document()["components"]["schemas"].values():
        Draft202012Validator.check_schema(schema)


@pytest.mark.parametrize("recorded", [one for one, _ in told.EXPECTED], ids=lambda one: type(one.event).__name__)
def test_records_are_what_it_says(recorded):
    """Each kind by the schema of its type, and by no other's."""
    event = json.loads(message_of(recorded, KNOWN, "webhook.ledger").value)
    check(event)
    others = [name for type, name in schemas_of().items() if type != event["type"]]
    assert len(others) == len(schemas_of()) - 1
    assert not any(judge(name).is_valid(event) for name in others)
    for path in ("id", "time", "data"):
        assert not judge(schemas_of()[event["type"]]).is_valid({k: v for k, v in event.items() if k != path})


def test_every_kind_has_its_message():
    """As many as there are types, in the channel of the setting's topic."""
    types = {expected["type"] for _, expected in told.EXPECTED}
    assert set(schemas_of()) == types
    addresses = {channel["address"] for channel in document()["channels"].values()}
    names = Settings()
    assert addresses == {*names.inbox_topic, names.inbox_dead_topic, names.deliveries_topic, names.ledger_topic}


PLAIN = {"id": "a", "type": "file.created", "data": {"id": 1}}
CLOUD = {"specversion": "1.0", "source": "/portals/7", **PLAIN}


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"tenant": "7", "time": "2026-11-23T10:00:00Z", "actor": "ann", "readers": ["everyone"], "kite": [1]},
        {"id": ""},
        {"id": 7},
        {"type": None},
        {"data": []},
        {"readers": "everyone"},
        {"tenant": "x" * 101},
        {"actor": 1},
    ],
)
def test_portal_events_are_taken_where_it_says_so(more):
    """What the schema takes the code takes, and the other way round."""
    event = PLAIN | more
    taken = checked(json.dumps(event).encode(), None, "$")
    assert judge("PortalEvent").is_valid(event) == isinstance(taken, Checked)


@pytest.mark.parametrize(
    "more", [{}, {"readers": "user:a role:admin", "tenant": "8"}, {"specversion": "2.0"}, {"data": 1}, {"readers": []}]
)
def test_cloud_events_are_taken_where_it_says_so(more):
    """The same in the structured mode."""
    event = CLOUD | more
    headers = (("content-type", b"application/cloudevents+json"),)
    (taken,) = events_of_record(Record("t", 0, 0, None, json.dumps(event).encode(), headers, 0), None)
    assert judge("PortalCloudEvent").is_valid(event) == isinstance(taken, Checked)


def test_a_command_prints_it():
    """The same, to the byte."""
    ran = subprocess.run(
        [sys.executable, "-m", "hookledger", "kafka", "asyncapi"], cwd=ROOT, capture_output=True, check=True
    )
    assert ran.stdout == (ROOT / "docs" / "asyncapi.json").read_bytes()
