"""`POST /api/ledger/events`: answers in the order sent, and what it says when it cannot take more."""

from __future__ import annotations

import asyncio
import gc
import gzip
import io
import json
import tracemalloc

import pytest
from aiohttp.test_utils import TestClient, TestServer

from core.limits import REQUEST_BYTES_MAX, REQUEST_EVENTS_MAX
from core.web import app, events
from tests.builders import BusyDisk, open_office

PATH = "/api/ledger/events"


def event(id, **members):
    return {"id": id, "type": "file.updated", "data": {"id": 991, "title": id}, **members}


@pytest.fixture(name="office")
async def _office(tmp_path):
    office = open_office(tmp_path / "data")
    await office.start()
    yield office
    await office.close()


@pytest.fixture(name="client")
async def _client(office):
    async with TestClient(TestServer(app.build(office, list), host="127.0.0.1")) as client:
        _, token = await office.tokens.create(tenant="1", role="portal", user=None, by=None)
        client.session.headers["Authorization"] = f"Bearer {token}"
        yield client


async def test_answers_stand_in_the_order_sent(client):
    """Accepted, duplicate, unknown and wrong: each entry says which, in its place."""
    await client.post(PATH, json=event("known"))
    sent = [event("a"), event("known"), {"id": "b", "type": "kite.flown", "data": {}}, event("c", data={"id": 1.5})]
    answer = await client.post(PATH, json=sent)
    told = await answer.json()
    assert answer.status == 200
    assert (told["accepted"], told["duplicates"], told["rejected"]) == (2, 1, 1)
    first, second, third, fourth = told["events"]
    assert first["trigger"] == "file.updated"
    assert second["duplicate"] is True
    assert second["position"] < first["position"] < third["position"]
    assert third["trigger"] is None
    assert third["note"] == "no plugin knows the type 'kite.flown'"
    assert fourth == {"id": "c", "error": "$[3].data.id: expected int or str"}


async def test_nothing_sent_is_fine_and_nothing_accepted_is_422(client):
    """200 for an empty list; 422 when every entry is wrong."""
    assert (await client.post(PATH, json=[])).status == 200
    assert (await client.post(PATH, json=[{"id": "x"}])).status == 422


async def test_the_same_id_twice_in_one_request_is_one_event(client):
    """The second of two equal ids waits for the first's fate, and is its duplicate."""
    told = await (await client.post(PATH, json=[event("twin"), event("twin", type="file.moved")])).json()
    first, second = told["events"]
    assert second == {**first, "duplicate": True}


@pytest.mark.parametrize(
    ("body", "headers", "status", "limit"),
    [
        (b"{", {}, 400, None),
        (b"[]", {"Authorization": "Bearer hlt_0.x"}, 401, None),
        (b"[]", {"Authorization": "Basic eDp5"}, 401, None),
        (json.dumps([event("x")] * (REQUEST_EVENTS_MAX + 1)).encode(), {}, 413, "REQUEST_EVENTS_MAX"),
        (io.BytesIO(b" " * (REQUEST_BYTES_MAX + 1)), {}, 413, "REQUEST_BYTES_MAX"),
    ],
    ids=["not JSON", "no such token", "no token", "too many events", "too many bytes"],
)
async def test_what_is_refused_whole_says_why(client, body, headers, status, limit):
    """Refusals are problem details, and name the limit that was met."""
    answer = await client.post(PATH, data=body, headers=headers)
    told = await answer.json(content_type="application/problem+json")
    assert (answer.status, told["status"], told.get("limit")) == (status, status, limit)
    assert told["detail"]


async def test_who_comes_to_the_wrong_place_is_told_the_right_one(client):
    """A misspelt path and a wrong method are problem details that lead on."""
    nothing = "nothing is here; portal events go to POST /api/ledger/events"
    for method, path, told in (("POST", f"{PATH}x", (404, nothing)), ("PUT", PATH, (405, "what is here takes POST"))):
        answer = await client.request(method, path, data=b"[]")
        problem = await answer.json(content_type="application/problem+json")
        assert (answer.status, problem["detail"]) == told


async def test_a_large_request_of_unknown_length_is_refused(client):
    """A request that does not say its length is read up to the limit, and no further."""

    async def chunks():
        for _ in range(REQUEST_BYTES_MAX // 2**16 + 2):
            yield b" " * 2**16

    answer = await client.post(PATH, data=chunks())
    assert answer.status == 413


async def test_a_wide_fanout_goes_in_several_commits(client, office, monkeypatch):
    """What comes to more than a commit's worth of recorded events is recorded in parts, in the order sent."""
    monkeypatch.setattr("core.intake.COMMIT_EVENTS_MAX", 50)
    for number in range(10):
        await office.webhooks.create(tenant="1", name=f"w{number}", url="https://receiver.example/", by=None)
    before = len(office.recorder.rows("SELECT 1 FROM commits"))
    told = await (await client.post(PATH, json=[event(str(number)) for number in range(20)])).json()
    assert [entry["deliveries"] for entry in told["events"]] == [10] * 20
    positions = [entry["position"] for entry in told["events"]]
    assert positions == sorted(positions)
    assert len(office.recorder.rows("SELECT 1 FROM commits")) - before == 5


async def test_overload_is_503_and_memory_stays_flat(client, office, monkeypatch):
    """While the disk is busy requests are turned away with Retry-After, keep no memory, and none is lost later."""
    monkeypatch.setattr("core.intake.INTAKE_EVENTS_MAX", 200)
    accepted, turned_away = [], []

    async def publish(number):
        body = [event(f"{number}-{index}") for index in range(50)]
        # Not by the test client itself, which keeps every answer.
        async with client.session.post(client.make_url(PATH), json=body) as answer:
            told = await answer.json(content_type=None)
        if answer.status == 503:
            assert int(answer.headers["Retry-After"]) >= 1
            assert told["limit"] == "INTAKE_EVENTS_MAX"
            turned_away.append(number)
        else:
            accepted.extend(entry["id"] for entry in told["events"])

    with BusyDisk(office) as disk:
        waiting = [asyncio.create_task(publish(number)) for number in range(4)]
        await disk.submitted()
        async with asyncio.timeout(10):
            while office.intake.under_way < 200:
                await publish("more")
        turned_away.clear()
        await publish(4)
        tracemalloc.start()
        for number in range(5, 55):
            await publish(number)
        before = _memory()
        for number in range(55, 205):
            await publish(number)
        after = _memory()
        tracemalloc.stop()
    await asyncio.gather(*waiting)
    assert turned_away == list(range(4, 205))
    assert after - before < 100_000
    told = await (await client.post(PATH, json=[event(id) for id in accepted])).json()
    assert told["duplicates"] == len(accepted) == 200


def _memory():
    """Bytes that are kept; not those that only wait for the collector."""
    gc.collect()
    return tracemalloc.get_traced_memory()[0]


LINES = "\n".join(json.dumps(event(id)) for id in "abc")
CLOUD = {"specversion": "1.0", "source": "/portals/1", **event("a")}
MODES = {
    "no type": ({}, json.dumps(event("a")), ["a"]),
    "JSON": ({"Content-Type": "application/json"}, json.dumps([event("a"), event("b")]), ["a", "b"]),
    "JSON, in capitals": ({"Content-Type": "Application/JSON; Charset=UTF-8"}, json.dumps(event("a")), ["a"]),
    "as curl -d says": ({"Content-Type": "application/x-www-form-urlencoded"}, json.dumps(event("a")), ["a"]),
    "lines": ({"Content-Type": "application/x-ndjson"}, LINES, ["a", "b", "c"]),
    "lines, one of them wrong": ({"Content-Type": "application/x-ndjson"}, "{\n" + LINES, [None, "a", "b", "c"]),
    "a CloudEvent": ({"Content-Type": "application/cloudevents+json; charset=utf-8"}, json.dumps(CLOUD), ["a"]),
    "a batch": ({"Content-Type": "application/cloudevents-batch+json"}, json.dumps([CLOUD, {}]), ["a", None]),
    "binary": (
        {
            "Content-Type": "application/json",
            "ce-specversion": "1.0",
            "ce-id": "%C3%A9",
            "ce-type": "file.updated",
            "ce-source": "/portals/1",
        },
        json.dumps({"id": 991}),
        ["\u00e9"],
    ),
    "binary, without a version": ({"Content-Type": "application/json", "ce-id": "a"}, json.dumps(event("b")), ["a"]),
}


@pytest.mark.parametrize(("headers", "body", "ids"), MODES.values(), ids=MODES)
async def test_the_content_type_says_in_which_form_events_come(client, headers, body, ids):
    """Plain, in lines, or a CloudEvent in each of its modes: there is an entry for each, in the order sent."""
    skip = {"skip_auto_headers": ("Content-Type",)}
    async with client.session.post(client.make_url(PATH), data=body.encode(), headers=headers, **skip) as answer:
        told = await answer.json()
    assert [entry["id"] for entry in told["events"]] == ids
    assert ["error" in entry for entry in told["events"]] == [
        id is None or body == json.dumps(event("b")) for id in ids
    ]
    assert answer.status == (200 if told["accepted"] else 422)


@pytest.mark.parametrize(
    ("kind", "body", "status", "says"),
    [
        ("application/xml", "<a/>", 415, "application/x-ndjson"),
        ("application/cloudevents+avro", "", 415, "application/cloudevents+json"),
        ("application/json; charset=utf-16", "[]", 415, "UTF-8"),
        ("application/json", LINES, 400, "application/x-ndjson"),
        ("application/cloudevents+json", "[]", 400, "application/cloudevents-batch+json"),
        ("application/cloudevents+json", "{", 400, "not JSON"),
        ("application/cloudevents-batch+json", json.dumps(CLOUD), 400, "not JSON"),
    ],
)
async def test_what_is_sent_as_something_else_is_told_what_to_say(client, kind, body, status, says):
    """A form that is not taken, or not said, is refused with what to send instead."""
    answer = await client.post(PATH, data=body.encode(), headers={"Content-Type": kind})
    told = await answer.json(content_type="application/problem+json")
    assert (answer.status, told["status"]) == (status, status)
    assert says in told["detail"]


async def test_an_entry_names_the_limit_it_met(client):
    """Beside the words there is a member for programs; the neighbours are accepted."""
    told = await (await client.post(PATH, json=[event("x" * 201), event("b")])).json()
    assert (told["accepted"], told["rejected"]) == (1, 1)
    assert told["events"][0]["limit"] == "EVENT_ID_CHARS_MAX"


async def test_a_cloud_event_is_recorded_in_the_plain_form(client, office):
    """The ledger holds one form, whatever was sent; a CloudEvent is known by its specversion, and the same id is the
    same event in any form."""
    headers = {"Content-Type": "application/cloudevents+json"}
    told = await (await client.post(PATH, data=json.dumps(CLOUD | {"x": 1}).encode(), headers=headers)).json()
    again = await (await client.post(PATH, json=event("a"))).json()
    (entry,) = told["events"]
    assert again["events"] == [{**entry, "duplicate": True}]
    body = office.reader.bodies([entry["position"]])[entry["position"]]
    assert json.loads(body.data) == {**event("a"), "tenant": "1", "specversion": "1.0", "source": "/portals/1", "x": 1}


async def raw(client, declared, sent):
    """A connection that has sent so much of a request."""
    reader, writer = await asyncio.open_connection("127.0.0.1", client.port)
    token = client.session.headers["Authorization"]
    head = f"POST {PATH} HTTP/1.1\r\nHost: x\r\nAuthorization: {token}\r\nContent-Length: {declared}\r\n\r\n"
    writer.write(head.encode() + sent)
    await writer.drain()
    return reader, writer


async def test_uploads_that_stall_take_room_only_for_what_came(client, monkeypatch):
    """Senders that announce much and send little stop nobody, and are answered 408 in the end."""
    monkeypatch.setattr(events, "READ_S", 0.3)
    stalled = [await raw(client, REQUEST_BYTES_MAX, b"[") for _ in range(12)]
    assert (await client.post(PATH, json=event("meanwhile"))).status == 200
    for reader, writer in stalled:
        answer = await asyncio.wait_for(reader.readuntil(b"\r\n"), 10)
        assert answer.startswith(b"HTTP/1.1 408")
        assert b'"limit":"READ_S"' in await asyncio.wait_for(reader.readuntil(b"}"), 10)
        writer.close()


async def test_uploads_that_break_off_leave_nothing(client, office, caplog):
    """Senders who go away in the middle leave no memory behind, and no traceback."""
    tracemalloc.start()
    before = _memory()
    for _ in range(20):
        _, writer = await raw(client, 2 * 2**20, b"[" + b" " * 2**20)
        writer.transport.abort()
    assert (await client.post(PATH, json=event("after"))).status == 200
    after = _memory()
    tracemalloc.stop()
    assert after - before < 2 * 2**20
    assert "failed" not in caplog.text


async def test_packed_requests_are_refused(client):
    """What is packed may unpack to anything: it is 415, whether it is what it says or not."""
    for body in (gzip.compress(b"[]"), b"[]"):
        answer = await client.post(PATH, data=body, headers={"Content-Encoding": "gzip"})
        assert answer.status in (400, 415)


async def test_bytes_that_wait_have_a_limit(office):
    """Bytes of requests under way are counted as they come."""
    _, token = await office.tokens.create(tenant="1", role="portal", user=None, by=None)
    server = TestServer(app.build(office, list, intake_bytes_max=1_000), host="127.0.0.1")
    async with TestClient(server, headers={"Authorization": f"Bearer {token}"}) as client:
        answer = await client.post(PATH, data=b"[" + b" " * 1_000 + b"]")
        told = await answer.json(content_type=None)
        assert (answer.status, told["limit"]) == (503, "INTAKE_BYTES_MAX")
        assert (await client.post(PATH, json=event("small"))).status == 200
