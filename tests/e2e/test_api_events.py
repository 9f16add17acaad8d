"""Events behind a cursor: paging, filters, long polls, ETags."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.e2e.process import DeskProcess

FEW = 3


def _walk(
    api: httpx.Client, limit: int, until: str = "", after: str = "", **wanted: str
) -> tuple[list[dict[str, Any]], str]:
    """Page from the beginning, or the cursor `after`, to the end of the log, or to the cursor `until`."""
    events: list[dict[str, Any]] = []
    cursor = after
    while True:
        page = api.get("/api/events", params={"after": cursor, "limit": limit, **wanted}).json()
        events += page["events"]
        cursor = page["cursor"]
        if cursor == until or not page["events"]:
            return events, cursor


def _note(api: httpx.Client, headline: str) -> str:
    response = api.post("/api/news", json={"headline": headline})
    assert response.status_code == 202, response.text
    return str(response.json()["event"])


def test_events_when_they_are_paged_while_new_ones_come_are_all_there_once(api: httpx.Client) -> None:
    stop = threading.Event()
    noted: list[str] = []

    def write() -> None:
        while not stop.is_set():
            noted.append(_note(api, f"Paging went on, part {len(noted)}"))
            time.sleep(0.005)

    with ThreadPoolExecutor(1) as pool:
        writing = pool.submit(write)
        try:
            walked, cursor = _walk(api, limit=13)
            while len(noted) <= FEW:
                more, cursor = _walk(api, limit=13, after=cursor)
                walked += more
        finally:
            stop.set()
        writing.result()
    ids = [event["id"] for event in walked]
    assert len(set(ids)) == len(ids)
    rest = api.get("/api/events", params={"after": cursor, "limit": 500}).json()["events"]
    everything, _ = _walk(api, limit=500)
    together = [*ids, *(event["id"] for event in rest)]
    assert together == [event["id"] for event in everything][: len(together)]
    assert set(noted) <= set(together)


def test_events_when_the_newest_are_asked_for_end_the_log_and_go_on_behind_it(api: httpx.Client) -> None:
    for number in range(FEW):
        _note(api, f"The newest news, part {number}")
    asked = {"newest": "true", "limit": str(FEW - 1), "types": "news.received"}
    page = api.get("/api/events", params=asked).json()
    assert [event["data"]["headline"][-1] for event in page["events"]] == [str(number) for number in range(1, FEW)]
    late = _note(api, "The newest news, late")
    rest, _ = _walk(api, limit=100, after=page["cursor"], types="news.received")
    assert [event["id"] for event in rest] == [late]


def test_events_when_the_newest_are_asked_for_beside_a_cursor_and_a_wait_are_given_at_once(api: httpx.Client) -> None:
    last = _note(api, "The newest news of all")
    asked = {"newest": "true", "limit": "1", "types": "news.received", "after": "latest", "wait": "25"}
    assert [event["id"] for event in api.get("/api/events", params=asked).json()["events"]] == [last]


def test_events_when_a_type_is_wanted_are_of_it_only(api: httpx.Client) -> None:
    everything, end = _walk(api, limit=500)
    wanted = ("analysis.completed", "news.received")
    found, _ = _walk(api, limit=100, types=",".join(wanted))
    expected = [event["id"] for event in everything if event["type"] in wanted]
    assert expected
    assert [event["id"] for event in found][: len(expected)] == expected
    assert {event["type"] for event in found} == set(wanted)
    assert end


def test_events_when_a_stream_is_wanted_are_in_its_order(api: httpx.Client) -> None:
    found, _ = _walk(api, limit=100, stream="market-0")
    bars = [event["data"]["bars"][0]["closed_at"] for event in found if event["type"] == "market.data.received"]
    assert {event["stream"] for event in found} == {"market-0"}
    assert bars == sorted(bars)
    assert len(bars) > 200


def test_events_when_a_correlation_is_wanted_are_one_story(api: httpx.Client) -> None:
    first = api.get("/api/events?types=analysis.completed&limit=1").json()["events"][0]
    story = api.get("/api/events", params={"correlation": first["correlationid"]}).json()["events"]
    assert first["id"] in [event["id"] for event in story]
    assert {event["correlationid"] for event in story} == {first["correlationid"]}
    assert story[0]["id"] == first["correlationid"]


def test_events_when_filters_meet_satisfy_all_of_them(api: httpx.Client) -> None:
    page = api.get("/api/events?types=news.received&stream=market-0").json()
    assert page["events"] == []


def test_events_when_they_start_at_latest_are_only_what_comes_then(api: httpx.Client) -> None:
    cursor = api.get("/api/events?after=latest&limit=500").json()["cursor"]
    noted = _note(api, "A headline after the latest")
    page = api.get("/api/events", params={"after": cursor, "types": "news.received"}).json()
    assert noted in [event["id"] for event in page["events"]]
    assert len(page["events"]) < 20


def test_long_poll_when_an_event_comes_returns_at_once(api: httpx.Client) -> None:
    poll = "/api/events?after=latest&stream=portfolio-poll&wait=20"
    with ThreadPoolExecutor(1) as pool:
        asked = time.monotonic()
        polling = pool.submit(lambda: api.get(poll).json())
        time.sleep(0.5)
        assert not polling.done()
        put = api.put("/api/portfolios/poll", json={"cash": 1}).json()
        page = polling.result()
    assert time.monotonic() - asked < 15
    assert [event["id"] for event in page["events"]] == [put["event"]]


def test_long_poll_when_nothing_comes_returns_empty_with_a_cursor_to_go_on(api: httpx.Client) -> None:
    asked = time.monotonic()
    page = api.get("/api/events?stream=portfolio-later&wait=0.6").json()
    assert 0.6 <= time.monotonic() - asked < 15
    assert page["events"] == []
    put = api.put("/api/portfolios/later", json={"cash": 1}).json()
    page = api.get("/api/events", params={"stream": "portfolio-later", "after": page["cursor"]}).json()
    assert [event["id"] for event in page["events"] if event["type"] == "portfolio.changed"] == [put["event"]]


def test_long_polls_when_many_are_open_leave_the_desk_answering(desk: DeskProcess, api: httpx.Client) -> None:
    poll = "/api/events?after=latest&stream=portfolio-crowd&wait=20"
    limits = httpx.Limits(max_connections=60)
    with (
        httpx.Client(base_url=desk.about["url"], timeout=30, trust_env=False, limits=limits) as crowd,
        ThreadPoolExecutor(40) as pool,
    ):
        polls = [pool.submit(lambda: crowd.get(poll).json()) for _ in range(40)]
        time.sleep(0.5)
        asked = time.monotonic()
        assert api.get("/api/health").status_code == 200
        assert time.monotonic() - asked < 15
        put = api.put("/api/portfolios/crowd", json={"cash": 1}).json()
        assert {page["events"][0]["id"] for page in (each.result() for each in polls)} == {put["event"]}


@pytest.mark.parametrize("path", ["/api/events", "/api/stream"])
def test_long_poll_when_the_desk_stops_is_answered_and_does_not_hold_it_up(tmp_path: Path, path: str) -> None:
    with DeskProcess(tmp_path) as desk, desk.client() as client, ThreadPoolExecutor(1) as pool:
        polling = pool.submit(client.get, f"{path}?after=latest&stream=portfolio-nobody&wait=25")
        time.sleep(0.5)
        asked = time.monotonic()
        assert desk.stop() == 0
        assert time.monotonic() - asked < 15
        answer = polling.result()
    assert answer.status_code == 200
    assert "cursor" in answer.text if path == "/api/events" else "id: " in answer.text


def test_etag_when_the_page_is_known_saves_the_content(api: httpx.Client) -> None:
    first = api.get("/api/events?limit=5")
    etag = first.headers["etag"]
    for known in (etag, f"W/{etag}", f'"other", {etag}', "*"):
        again = api.get("/api/events?limit=5", headers={"If-None-Match": known})
        assert (again.status_code, again.content) == (304, b""), known
        assert again.headers["etag"] == etag
        assert again.headers["cache-control"] == "no-cache"
        assert "content-length" not in again.headers


@pytest.mark.parametrize("known", ['"other"', "", "etag"])
def test_etag_when_another_page_is_known_sends_the_content(api: httpx.Client, known: str) -> None:
    assert api.get("/api/events?limit=5", headers={"If-None-Match": known}).status_code == 200


def test_etag_when_only_a_part_of_it_is_named_sends_the_content(api: httpx.Client) -> None:
    etag = api.get("/api/events?limit=5").headers["etag"]
    longer = f'"{"x"}{etag.strip(chr(34))}"'
    assert api.get("/api/events?limit=5", headers={"If-None-Match": longer}).status_code == 200
    assert api.get("/api/events?limit=6").headers["etag"] != etag


def test_event_when_it_is_in_the_log_is_a_cloud_event(api: httpx.Client) -> None:
    for event in api.get("/api/events?limit=50").json()["events"]:
        assert event["specversion"] == "1.0"
        assert {"id", "source", "type", "time", "stream", "correlationid", "data"} <= event.keys()


def test_event_when_its_stream_is_named_is_looked_for_there_alone(api: httpx.Client) -> None:
    event = api.get("/api/events?limit=1").json()["events"][0]
    address = f"/api/events/{event['id']}"
    assert api.get(address).json() == api.get(address, params={"stream": event["stream"]}).json() == event
    assert api.get(address, params={"stream": "nowhere"}).status_code == 404
