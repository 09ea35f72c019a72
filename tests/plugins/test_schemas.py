"""Schemas and samples: what a plugin declares of its triggers, or what is derived where it declares nothing."""

from __future__ import annotations

import json
from types import ModuleType

import jsonschema
import pytest

from core.errors import NotFoundError, PluginError
from core.example import body_of, event_of, schemas_of
from core.loading import load_plugins
from core.randomness import Randomness
from hookledger import Reading, Trigger, Unreadable, hookimpl
from tests.builders import NOW

RANDOM = Randomness()


def kites(**trigger):
    """One trigger; what is sent of it is its data without `secret`."""
    module = ModuleType("kites")
    module.register_triggers = hookimpl(lambda: [Trigger(name="kite.flown", order=1, **trigger)])
    module.read_event = hookimpl(
        lambda events: [
            Reading(payload={k: v for k, v in event.data.items() if k != "secret"}, target_type="kite")
            if "id" in event.data
            else Unreadable("data.id", "expected int")
            for event in events
        ]
    )
    return load_plugins(only=(), extra={"kites": module})


def sample(**data):
    return {"id": "a", "type": "kite.flown", "data": {"id": 7, **data}}


def schemas(plugins):
    return schemas_of(plugins, plugins.triggers["kite.flown"], NOW, RANDOM)


def test_what_a_portal_sends_and_a_receiver_gets_is_as_declared(registered, plugins):
    """For each trigger of ours, its sample and the payload of it are what the schemas say, and more than nothing."""
    told = schemas_of(plugins, registered, NOW, RANDOM)
    event = event_of(registered, "new", NOW)
    body = json.loads(body_of(plugins, event, NOW, RANDOM))
    for name, value in (("data", event["data"]), ("payload", body["payload"])):
        schema = told[name]
        jsonschema.Draft202012Validator.check_schema(schema)
        jsonschema.Draft202012Validator(schema).validate(value)
        assert "derived" not in json.dumps(schema)
        assert set(value) <= set(schema["properties"]) | {"contentLength", "fileExst"}
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.Draft202012Validator(schema).validate({})


def test_an_example_is_new_each_time_and_else_the_sample(registered, plugins):
    """It can be published again and again: only id and time are not the sample's; a receiver gets the trigger's name
    and number."""
    event = event_of(registered, "new", NOW)
    original = registered.trigger.samples[0]
    assert {name for name in event if event[name] != original.get(name)} == {"id", "time"}
    told = json.loads(body_of(plugins, event, NOW, RANDOM))
    assert told["event"]["trigger"] == registered.trigger.name
    assert told["event"]["triggerId"] == 1 << registered.trigger.bit
    assert told["webhook"]["triggers"] == ["*"]


def test_what_is_not_declared_is_derived_and_says_so():
    """From all samples together; nothing is required, because another event may lack what these have."""
    plugins = kites(samples=[sample(height=40, secret="s"), sample(height=4.5, tail={"colour": "red"})])
    told = schemas(plugins)
    assert told["data"] == {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$comment": "derived from 2 samples, because the plugin declares no schema: others may differ",
        "type": "object",
        "properties": {
            "id": {"type": "integer"},
            "height": {"type": "number"},
            "secret": {"type": "string"},
            "tail": {"type": "object", "properties": {"colour": {"type": "string"}}},
        },
    }
    assert set(told["payload"]["properties"]) == {"id", "height", "tail"}


def test_a_member_may_be_called_required():
    """Only the keyword is left out."""
    told = schemas(kites(samples=[sample(required=True, more={"required": 1})]))
    assert told["data"]["properties"]["required"] == {"type": "boolean"}
    assert told["data"]["properties"]["more"]["properties"] == {"required": {"type": "integer"}}


def test_what_is_declared_stands():
    """One may be declared and the other derived."""
    told = schemas(kites(samples=[sample()], payload_schema={"type": "object", "title": "Kite"}))
    assert told["payload"]["title"] == "Kite"
    assert "$comment" not in told["payload"]
    assert "derived from 1 sample" in told["data"]["$comment"]


def test_without_samples_there_is_nothing_to_show():
    """That is said, instead of a schema or an event that somebody invented."""
    plugins = kites()
    assert "gives no samples" in schemas(plugins)["data"]["$comment"]
    with pytest.raises(NotFoundError, match="the plugin 'kites' gives no sample"):
        event_of(plugins.triggers["kite.flown"], "new", NOW)


@pytest.mark.parametrize(
    ("trigger", "fault"),
    [
        ({"samples": [{"type": "kite.flown"}]}, "is no portal event: .*id: missing"),
        ({"samples": [{"id": "a", "type": "kite.flown", "data": {}}]}, "does not read its sample: .*data.id"),
        ({"samples": [sample()], "data_schema": {"enum": object()}}, "is not JSON"),
        ({"samples": [sample(far=object())]}, "is not JSON"),
    ],
)
def test_a_sample_that_is_none_is_the_plugins_fault(trigger, fault):
    """It is named, in one line."""
    with pytest.raises(PluginError, match=fault):
        schemas(kites(**trigger))
