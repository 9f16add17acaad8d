"""The event stream, read as a browser's EventSource reads it."""

import json
import time
from typing import Any

import httpx

from tests.e2e.event_source import EventSource


def _log(api: httpx.Client, **wanted: str) -> list[dict[str, Any]]:
    events: list[dict[str, Any]] = []
    page = api.get("/api/events", params={"limit": 500, **wanted}).json()
    while page["events"]:
        events += page["events"]
        page = api.get("/api/events", params={"limit": 500, "after": page["cursor"], **wanted}).json()
    return events


def test_stream_when_it_is_read_has_one_id_on_its_last_event(api: httpx.Client) -> None:
    response = api.get("/api/stream?limit=7")
    lines = response.text.split("\n")
    page = api.get("/api/events?limit=7").json()
    assert lines[0] == "retry: 500"
    assert [line for line in lines if line.startswith("id:")] == [f"id: {page['cursor']}"]
    assert lines[-4:] == [f"id: {page['cursor']}", f"data: {_last_data(lines)}", "", ""]
    assert [json.loads(line.removeprefix("data: ")) for line in lines if line.startswith("data:")] == page["events"]


def test_stream_when_the_source_comes_back_loses_and_repeats_nothing(api: httpx.Client) -> None:
    source = EventSource(api, "/api/stream?limit=83&wait=0")
    while source.connect():
        assert source.retry_milliseconds == 500
    got = [json.loads(event) for event in source.events]
    assert len(got) > 300
    assert got == _log(api)[: len(got)]


def test_stream_when_a_batch_breaks_off_comes_again_whole(api: httpx.Client) -> None:
    whole = api.get("/api/stream?limit=5&wait=0").content
    source = EventSource(api, "/api/stream?limit=5&wait=0")
    for end in range(0, len(whole) - 1, 97):
        source.events.clear()
        source.take(whole[:end])
        assert source.last_event_id == ""
    source.events.clear()
    source.connect()
    assert len(source.events) == 5
    assert source.last_event_id


def test_stream_when_nothing_comes_is_an_empty_batch_that_keeps_the_place(api: httpx.Client) -> None:
    source = EventSource(api, "/api/stream?stream=portfolio-quiet&wait=0.3")
    asked = time.monotonic()
    assert source.connect() == 0
    assert time.monotonic() - asked >= 0.3
    kept = source.last_event_id
    assert kept
    put = api.put("/api/portfolios/quiet", json={"cash": 5}).json()
    source.connect()
    assert json.loads(source.events[0])["id"] == put["event"]
    assert source.last_event_id != kept


def test_stream_when_the_source_has_an_id_it_goes_before_the_address(api: httpx.Client) -> None:
    second = api.get("/api/events?limit=1").json()["cursor"]
    source = EventSource(api, "/api/stream?after=latest&limit=1&wait=0", last_event_id=second)
    source.connect()
    assert json.loads(source.events[0]) == api.get("/api/events?limit=2").json()["events"][1]


def test_stream_when_a_type_is_wanted_has_no_other(api: httpx.Client) -> None:
    source = EventSource(api, "/api/stream?types=news.received&limit=50&wait=0")
    source.connect()
    assert {json.loads(event)["type"] for event in source.events} == {"news.received"}


def test_stream_when_text_has_lines_and_other_alphabets_is_intact(api: httpx.Client) -> None:
    headline = "Zürich: \u2028 one\nline\r\ntwo \u0000 日本 \U0001f680"
    noted = api.post("/api/news", json={"headline": headline}).json()["event"]
    source = EventSource(api, "/api/stream?types=news.received&limit=500&wait=0")
    while source.connect():
        pass
    found = {event["id"]: event for event in map(json.loads, source.events)}
    assert found[noted]["data"]["headline"] == headline


def _last_data(lines: list[str]) -> str:
    return [line for line in lines if line.startswith("data: ")][-1].removeprefix("data: ")
