"""The HTTP function as the Functions worker calls it: an HttpRequest in, an HttpResponse out, no server between."""

import asyncio
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import azure.functions as func
import pytest

from functions import api
from local.registration import Registered, registrations
from shared.callers.caller import LOCAL
from shared.events.trade import Consensus, ConsensusReached, TradeRequested, Vote
from shared.wiring import desk
from tests.builders import a_bar, an_opinion, market_data

SITE = "https://desk.example.azurewebsites.net"
TRADE = {"symbol": "AAPL", "side": "buy", "quantity": 1}


@pytest.fixture(scope="module")
def function() -> Registered:
    """Give the HTTP function as it is registered; an app of its own, since one lists its functions only once."""
    app = func.FunctionApp()
    app.register_functions(api.blueprint)
    (found,) = registrations(app, {})
    return found


@pytest.fixture(autouse=True)
def own_desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Give the process a desk on an empty folder, on which nothing runs."""
    for name in ("ALPACA_API_KEY", "ALPACA_SECRET_KEY", "FINAGENT_SYMBOLS", "FINAGENT_START", "FINAGENT_SPEED"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("FINAGENT_DATA", str(tmp_path))
    desk.cache_clear()
    yield
    if desk.cache_info().currsize:
        asyncio.run(desk().close())
    desk.cache_clear()


async def _ask(
    function: Registered,
    method: str,
    path: str,
    body: bytes = b"",
    headers: dict[str, str] | None = None,
    route: str | None = None,
) -> func.HttpResponse:
    request = func.HttpRequest(
        method=method, url=SITE + path, headers=headers or {}, route_params={"path": route or path}, body=body
    )
    answer = await function.invoke(request, "invocation-1")
    assert isinstance(answer, func.HttpResponse)
    return answer


async def test_function_when_the_body_is_empty_answers(function: Registered) -> None:
    answer = await _ask(function, "GET", "/api/events?limit=1&types=news.received,trade.requested")
    assert answer.status_code == 200
    assert json.loads(answer.get_body())["events"] == []
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["etag"]


@pytest.mark.parametrize("name", ["content-type", "Content-Type", "CONTENT-TYPE"])
async def test_function_when_headers_have_any_case_reads_them(function: Registered, name: str) -> None:
    headers = {name: "application/json", "IDEMPOTENCY-Key": "cased"}
    body = json.dumps(TRADE).encode()
    first = await _ask(function, "POST", "/api/trades", body, headers)
    again = await _ask(function, "post", "/api/trades", body, headers)
    assert first.status_code == again.status_code == 202
    assert first.headers["Location"] == again.headers["location"]
    assert first.headers["location"].startswith("/api/trades/")


async def test_function_when_the_query_is_encoded_reads_it(function: Registered) -> None:
    answer = await _ask(
        function, "GET", "/api/bars/AAPL?from=2008-01-01T00%3A00%3A00%2B01%3A00&to=2007-01-01T00:00:00Z"
    )
    assert answer.status_code == 422
    assert json.loads(answer.get_body())["errors"][0]["field"] == "from"


async def test_function_when_it_is_asked_for_the_head_gives_no_body(function: Registered) -> None:
    answer = await _ask(function, "HEAD", "/api/topology")
    assert (answer.status_code, answer.get_body()) == (200, b"")
    assert int(answer.headers["content-length"]) > 100


@pytest.mark.parametrize(
    ("path", "headers"),
    [
        ("/api/events/%ff", {}),
        ("/api/events/%c3%28?limit=1", {}),
        ("/api/health", {"X-Forwarded-Port": "9" * 5_000}),
    ],
)
async def test_function_when_the_bridge_cannot_read_the_address_refuses(
    function: Registered, path: str, headers: dict[str, str]
) -> None:
    answer = await _ask(function, "GET", path, headers=headers)
    assert answer.status_code == 400
    assert answer.mimetype == "application/problem+json"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert json.loads(answer.get_body())["errors"][0]["field"] == "address"


async def test_function_when_the_body_is_too_large_refuses(function: Registered) -> None:
    answer = await _ask(function, "POST", "/api/trades", b" " * 1_000_001, {"Content-Type": "application/json"})
    assert answer.status_code == 413
    assert json.loads(answer.get_body())["errors"][0]["field"] == "body"


async def test_function_when_the_desk_cannot_be_built_answers_and_says_nothing_of_why(
    function: Registered, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("FINAGENT_SPEED", "secret-speed")
    answer = await _ask(function, "GET", "/api/health")
    problem = json.loads(answer.get_body())
    assert answer.status_code == problem["status"] == 500
    assert answer.headers["content-type"] == "application/problem+json"
    assert "SPEED" not in answer.get_body().decode()
    assert "FINAGENT_SPEED" in caplog.text


async def test_trade_when_a_vote_comes_after_the_consensus_shows_it_as_late(function: Registered) -> None:
    headers = {"Content-Type": "application/json"}
    asked = await _ask(function, "POST", "/api/trades", json.dumps(TRADE).encode(), headers)
    trade_id = json.loads(asked.get_body())["id"]
    request = TradeRequested.model_validate_json(await desk().queries.event(LOCAL, trade_id))
    early = an_opinion(request, agent="market_analyst", stance=0.5)
    late = an_opinion(request, agent="risk_manager", stance=-1.0)
    consensus = ConsensusReached.caused_by(request, source="consensus", data=_closed_with(early.id, request))
    for event in (early, consensus, late):
        await desk().runtime.emit([event])
    trade = json.loads((await _ask(function, "GET", f"/api/trades/{trade_id}")).get_body())
    assert {opinion["agent"]: opinion["late"] for opinion in trade["opinions"]} == {
        "market_analyst": False,
        "risk_manager": True,
    }
    assert trade["state"] == "decided"
    assert trade["consensus"]["missing"] == ["risk_manager"]


async def test_bars_when_one_was_corrected_later_are_as_they_were_known(function: Registered) -> None:
    close = datetime(2007, 12, 3, 21, tzinfo=UTC)
    for price, known_at in ((100.0, close), (101.0, close + timedelta(days=2))):
        await desk().projector.project(market_data(a_bar(close=price, closed_at=close), time=known_at))
    for day, expected in (("2007-12-04", 100.0), ("2007-12-06", 101.0)):
        answer = await _ask(function, "GET", f"/api/bars/AAPL?as_of={day}T00:00:00Z")
        assert [bar["close"] for bar in json.loads(answer.get_body())["bars"]] == [expected]


async def test_trade_when_it_is_open_has_no_consensus(function: Registered) -> None:
    headers = {"Content-Type": "application/json"}
    asked = await _ask(function, "POST", "/api/trades", json.dumps(TRADE).encode(), headers)
    trade = json.loads(asked.get_body())
    assert (trade["state"], trade["opinions"], trade["consensus"]) == ("open", [], None)


def _closed_with(opinion: str, request: TradeRequested) -> Consensus:
    vote = Vote(agent="market_analyst", opinion=opinion, stance=0.5, confidence=0.8, weight=1)
    return Consensus(
        step="trade",
        trigger=request.id,
        decision="no_quorum",
        score=0.5,
        dispersion=0,
        closed_by="deadline",
        votes=(vote,),
        vetoes=(),
        dissent=(),
        missing=("risk_manager",),
        explanation="Undecided: 1 of the 2 votes needed.",
        decided_at=request.time,
    )
