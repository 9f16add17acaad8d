"""Addresses that are wrong: queries, cursors, times and paths."""

import httpx
import pytest

from tests.e2e.refusal import refused


@pytest.mark.parametrize("path", ["/api/events", "/api/stream"])
@pytest.mark.parametrize(
    ("query", "status", "field"),
    [
        ("after=nonsense", 400, "after"),
        ("after=latest%0a", 400, "after"),
        ("after=%00", 400, "after"),
        ("after=%ff", 400, "after"),
        ("after=12345678--1", 400, "after"),
        ("after=00000000-1", 410, "after"),
        (f"after={'0' * 1001}", 422, "after"),
        ("types=nothing.happened", 422, "types"),
        ("types=news.received,nothing.happened", 422, "types"),
        ("types=%00", 422, "types"),
        (f"types={'news.received,' * 80}", 422, "types"),
        ("stream=%ff", 422, "stream"),
        ("stream=%00", 422, "stream"),
        ("stream=a%20b", 422, "stream"),
        (f"stream={'a' * 201}", 422, "stream"),
        ("correlation='%20OR%201=1", 422, "correlation"),
        ("limit=0", 422, "limit"),
        ("limit=501", 422, "limit"),
        ("limit=-1", 422, "limit"),
        ("limit=abc", 422, "limit"),
        ("limit=", 422, "limit"),
        ("limit=1.5", 422, "limit"),
        ("limit=1e1000", 422, "limit"),
        (f"limit={'9' * 5_000}", 422, "limit"),
        ("wait=26", 422, "wait"),
        ("wait=25.001", 422, "wait"),
        ("wait=-1", 422, "wait"),
        ("wait=nan", 422, "wait"),
        ("wait=inf", 422, "wait"),
        ("wait=abc", 422, "wait"),
        ("limit=1&limit=2", 422, "limit"),
        ("after=&after=latest", 422, "after"),
        ("type=news.received", 422, "type"),
        ("%ff=1", 422, "\ufffd"),
        ("%zz", 422, "%zz"),
    ],
)
def test_events_when_the_query_is_wrong_are_refused(
    api: httpx.Client, path: str, query: str, status: int, field: str
) -> None:
    refused(api.get(f"{path}?{query}"), status, field)


def test_events_when_a_filter_is_empty_are_all(api: httpx.Client) -> None:
    empty = api.get("/api/events?after=&types=&stream=&correlation=&limit=3").json()
    assert empty == api.get("/api/events?limit=3").json()
    assert len(empty["events"]) == 3


@pytest.mark.parametrize("cursor", ["nonsense", "00000000-1"])
def test_stream_when_the_last_id_is_wrong_names_it(api: httpx.Client, cursor: str) -> None:
    status = 400 if cursor == "nonsense" else 410
    refused(api.get("/api/stream", headers={"Last-Event-ID": cursor}), status, "last-event-id")


@pytest.mark.parametrize("name", ["from", "to", "as_of"])
@pytest.mark.parametrize(
    "moment",
    [
        "2008-09-12T00:00:00",
        "2008-09-12",
        "2008",
        "1200000000",
        "yesterday",
        "",
        "%ff",
        "2008-13-01T00:00:00Z",
        "2008-09-12T00:00:00 00:00",
        "0001-01-01T00:00:00%2B14:00",
        "9999-12-31T23:59:59-14:00",
    ],
)
def test_bars_when_a_time_is_no_instant_are_refused(api: httpx.Client, name: str, moment: str) -> None:
    refused(api.get(f"/api/bars/AAPL?{name}={moment}"), 422, name)


def test_bars_when_the_range_ends_before_it_begins_are_refused(api: httpx.Client) -> None:
    refused(api.get("/api/bars/AAPL?from=2008-09-12T00:00:00Z&to=2008-09-11T23:59:59Z"), 422, "from")


def test_bars_when_the_times_are_the_calendar_s_ends_are_given(api: httpx.Client) -> None:
    answer = api.get("/api/bars/AAPL?from=0001-01-01T00:00:00Z&to=9999-12-31T23:59:59Z&as_of=9999-12-31T23:59:59Z")
    assert len(answer.json()["bars"]) > 200


@pytest.mark.parametrize("query", ["colour=red", "as_of=2008-09-12T00:00:00Z&as_of=2008-09-13T00:00:00Z"])
def test_portfolio_when_the_query_is_wrong_is_refused(api: httpx.Client, query: str) -> None:
    refused(api.get(f"/api/portfolios/main?{query}"), 422, query.partition("=")[0])


@pytest.mark.parametrize(
    ("path", "status", "field"),
    [
        ("/api/events/no-such-event", 404, None),
        ("/api/events/%00", 422, "event_id"),
        ("/api/events/%F0%9F%98%80", 422, "event_id"),
        ("/api/events/%ff", 400, "address"),
        ("/api/events/%c3%28", 400, "address"),
        ("/api/events/a%3Flimit=1", 422, "event_id"),
        ("/api/events/a%23b", 422, "event_id"),
        ("/api/events/a%2Fb", 404, None),
        (f"/api/events/{'a' * 201}", 422, "event_id"),
        ("/api/events/%0d%0aSet-Cookie:%20a=b", 422, "event_id"),
        ("/api/trades/no-such-trade", 404, None),
        ("/api/trades/%00", 422, "trade_id"),
        ("/api/options/no-such-request", 404, None),
        ("/api/options/%00", 422, "request_id"),
        ("/api/questions/no-such-question", 404, None),
        ("/api/questions/%00", 422, "question_id"),
        ("/api/trades/no-such-trade/why", 404, None),
        ("/api/agents/nobody", 404, None),
        ("/api/agents/%00", 422, "name"),
        ("/api/replays/no-such-replay", 404, None),
        ("/api/replays/%00", 422, "replay_id"),
        ("/api/portfolios/no-such-portfolio", 404, None),
        ("/api/portfolios/a%20b", 422, "name"),
        (f"/api/portfolios/{'a' * 65}", 422, "name"),
        ("/api/bars/ZZZZ", 404, "symbol"),
        ("/api/bars/aapl", 422, "symbol"),
        ("/api/bars/%2e%2e", 422, "symbol"),
        ("/api/schemas/nothing.happened", 404, None),
        ("/api/agents/nobody/views/AAPL", 404, None),
        ("/api/agents/market_analyst/views/%00", 422, "subject"),
        ("/api/nothing", 404, None),
        ("/api/events/", 404, None),
        ("/api//events", 404, None),
        ("/API/events", 404, None),
        ("/api/docs/../../etc/passwd", 404, None),
        ("/api/docs/%2e%2e%2fevents.py", 404, None),
        ("/favicon.ico", 404, None),
    ],
)
def test_path_when_nothing_is_there_is_refused(api: httpx.Client, path: str, status: int, field: str | None) -> None:
    refused(api.get(path), status, field)


def test_trade_when_the_id_is_another_event_s_is_not_found(api: httpx.Client) -> None:
    event = api.get("/api/events?types=market.data.received&limit=1").json()["events"][0]
    refused(api.get(f"/api/trades/{event['id']}"), 404)


@pytest.mark.parametrize("key", ["", "x" * 201, "a b", "a\tb", "\u00e9"])
def test_idempotency_key_when_it_is_no_name_is_refused(api: httpx.Client, key: str) -> None:
    headers = {b"Idempotency-Key": key.encode("latin-1")}
    for path, body in (
        ("/api/trades", {"symbol": "AAPL", "side": "buy", "quantity": 1}),
        ("/api/news", {"headline": "x"}),
    ):
        refused(api.post(path, json=body, headers=headers), 422, "idempotency-key")
