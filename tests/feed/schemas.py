"""What docs/asyncapi.json says of each record, as judges of their own read it."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

from jsonschema import Draft7Validator, Draft202012Validator

ROOT = Path(__file__).parents[2]
OFFICIAL = Path(__file__).with_name("asyncapi") / "3.0.0.json"


@cache
def document():
    return json.loads((ROOT / "docs" / "asyncapi.json").read_text(encoding="utf-8"))


def official():
    """Judges documents."""
    return Draft7Validator(json.loads(OFFICIAL.read_text(encoding="utf-8")))


@cache
def judge(schema):
    """Judges a value by one of the document's schemas."""
    given = {"$ref": f"#/components/schemas/{schema}", "components": document()["components"]}
    return Draft202012Validator(given, format_checker=Draft202012Validator.FORMAT_CHECKER)


@cache
def schemas_of():
    """Of each `type` of a record of webhook.ledger the name of its schema."""
    schemas = document()["components"]["schemas"]
    references = [message["payload"]["$ref"] for message in document()["channels"]["ledger"]["messages"].values()]
    names = [reference.removeprefix("#/components/schemas/") for reference in references]
    return {schemas[name]["properties"]["type"]["const"]: name for name in names}


def check(event):
    """jsonschema's error when a record of webhook.ledger is not what the document says."""
    judge(schemas_of()[event["type"]]).validate(event)
