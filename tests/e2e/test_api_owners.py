"""Owners on a real host: each sees its own and the desk's, and nothing that tells of another's."""

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from functions.api.access import ROLES
from shared.callers.caller import Role
from shared.events.catalogue import EVENTS
from tests.e2e.guarded import Guarded, ask, hold, story

PATIENCE_SECONDS = 300
SECRET_NAME = "pot-of-gold"
PUBLIC = {name for name, kind in EVENTS.items() if kind.public}


@dataclass(frozen=True)
class Hers:
    """What alice has: names and ids of hers, none of which another caller may be told."""

    trade: str
    options: str
    question: str
    replay: str
    stream: str
    events: tuple[str, ...]
    assessed: str

    @property
    def traces(self) -> set[str]:
        """Give what would tell of it."""
        return {SECRET_NAME, self.trade, self.options, self.question, self.replay, "alice", *self.events}


@pytest.fixture(scope="module")
def alice(guarded: Guarded) -> Iterator[httpx.Client]:
    with guarded.client("alice") as client:
        yield client


@pytest.fixture(scope="module")
def bob(guarded: Guarded) -> Iterator[httpx.Client]:
    with guarded.client("bob") as client:
        yield client


@pytest.fixture(scope="module")
def operator(guarded: Guarded) -> Iterator[httpx.Client]:
    with guarded.client("operator") as client:
        yield client


@pytest.fixture(scope="module")
def hers(alice: httpx.Client) -> Hers:
    changed = hold(alice, SECRET_NAME)
    assessed = story(alice, changed["event"], "risk.assessed")
    asked = ask(alice, portfolio=SECRET_NAME)
    decided = story(alice, asked["id"], "consensus.reached")
    wish = {"symbol": "IBM", "risk_budget": 1_000, "portfolio": SECRET_NAME}
    options = alice.post("/api/options", json=wish).raise_for_status().json()["id"]
    answered = story(alice, options, "options.suggested")
    text = f"What is the risk of {SECRET_NAME}, and why was the trade of IBM decided so?"
    question = alice.post("/api/questions", json={"text": text}).raise_for_status().json()["id"]
    told = story(alice, question, "research.completed")
    week = {"first_day": "2008-01-02", "last_day": "2008-01-08", "symbols": ["AAPL"], "lookback_days": 10}
    replay = alice.post("/api/replays", json=week).raise_for_status().json()["id"]
    played = story(alice, replay, "replay.completed")
    events = tuple(event["id"] for event in (*assessed, *decided, *answered, *told, *played))
    return Hers(asked["id"], options, question, replay, f"portfolio:alice:{SECRET_NAME}", events, assessed[-1]["id"])


def _log(api: httpx.Client, path: str = "/api/events", **parameters: str) -> str:
    """Give all that a caller is given from the beginning to the end."""
    text, cursor = "", ""
    while True:
        page = api.get("/api/events", params={"after": cursor, "limit": 500, **parameters}).raise_for_status()
        if path == "/api/stream":
            query: dict[str, str | int] = {"after": cursor, "limit": 500, "wait": 0, **parameters}
            text += api.get("/api/stream", params=query).raise_for_status().text
        text += page.text
        cursor = page.json()["cursor"]
        if not page.json()["events"]:
            return text


def _measured(api: httpx.Client) -> dict[str, Any]:
    """Give the portfolio when its read model has its risk, which comes a moment after the event."""
    for _ in range(300):
        held: dict[str, Any] = api.get("/api/portfolios/main").json()
        if held["risk"] is not None:
            return held
        time.sleep(0.1)
    pytest.fail("the risk did not come")


def _told(text: str, hers: Hers) -> set[str]:
    return {trace for trace in hers.traces if trace in text}


def test_story_when_it_is_an_owners_is_so_to_its_end(alice: httpx.Client, hers: Hers) -> None:
    events = [alice.get(f"/api/events/{event}").raise_for_status().json() for event in hers.events]
    assert {event["type"] for event in events} >= {"risk.assessed", "opinion.formed", "consensus.reached"}
    assert {event["owner"] for event in events} == {"alice"}


@pytest.mark.parametrize("caller", ["bob", "carol"])
def test_route_when_it_is_asked_for_anothers_answers_as_if_there_were_nothing(
    guarded: Guarded, hers: Hers, caller: str
) -> None:
    asked = {
        "/api/events/{event_id}": [f"/api/events/{event}" for event in hers.events],
        "/api/trades/{trade_id}": [f"/api/trades/{hers.trade}", f"/api/trades/{hers.assessed}"],
        "/api/trades/{trade_id}/latency": [f"/api/trades/{hers.trade}/latency"],
        "/api/trades/{trade_id}/why": [f"/api/trades/{hers.trade}/why", f"/api/trades/{hers.assessed}/why"],
        "/api/questions/{question_id}": [f"/api/questions/{hers.question}", f"/api/questions/{hers.trade}"],
        "/api/options/{request_id}": [f"/api/options/{hers.options}", f"/api/options/{hers.trade}"],
        "/api/replays/{replay_id}": [f"/api/replays/{hers.replay}", f"/api/replays/{hers.trade}"],
        "/api/portfolios/{name}": [f"/api/portfolios/{SECRET_NAME}", f"/api/portfolios/alice:{SECRET_NAME}"],
        "/api/portfolios/{name}/rebalance": [
            f"/api/portfolios/{SECRET_NAME}/rebalance",
            f"/api/portfolios/alice:{SECRET_NAME}/rebalance",
        ],
        "/api/agents/{name}/views/{subject}": [
            f"/api/agents/{agent}/views/{subject}"
            for agent in ("risk_manager", "risk_manager:alice", "risk_manager@alice")
            for subject in (SECRET_NAME, f"alice:{SECRET_NAME}")
        ],
    }
    by_id = {path for method, path in ROLES if method == "GET" and "{" in path}
    assert by_id - asked.keys() == {
        "/api/agents/{name}",
        "/api/agents/{name}/memory",
        "/api/bars/{symbol}",
        "/api/forecasts/{symbol}",
        "/api/schemas/{event_type}",
    }
    with guarded.client(caller) as api:
        for address in (address for addresses in asked.values() for address in addresses):
            given = api.get(address)
            name = address.removesuffix("/latency").removesuffix("/why").removesuffix("/rebalance").rpartition("/")[2]
            missing = api.get("nothing-at-all".join(address.rsplit(name, 1)))
            if "@" in address:
                assert given.status_code == 422
                continue
            assert given.status_code == missing.status_code == 404
            assert given.text.replace(name, "*") == missing.text.replace("nothing-at-all", "*")


@pytest.mark.parametrize("caller", ["bob", "carol"])
@pytest.mark.parametrize("path", [path for method, path in ROLES if method == "GET" and "{" not in path])
def test_route_when_another_lists_tells_nothing(guarded: Guarded, hers: Hers, path: str, caller: str) -> None:
    with guarded.client(caller) as api:
        if ROLES["GET", path] is Role.OPERATOR:
            assert api.get(path).status_code == 403
        elif path in ("/api/events", "/api/stream"):
            assert _told(_log(api, path), hers) == set()
        else:
            assert _told(api.get(path).raise_for_status().text, hers) == set()


@pytest.mark.parametrize("path", ["/api/events", "/api/stream"])
def test_log_when_another_filters_for_it_has_nothing(bob: httpx.Client, hers: Hers, path: str) -> None:
    for parameters in (
        {"correlation": hers.trade},
        {"stream": hers.stream},
        {"stream": f"trade-{hers.trade}"},
        {"types": "trade.requested,opinion.formed"},
    ):
        text = bob.get(path, params={"wait": 0, **parameters}).raise_for_status().text
        assert _told(text, hers) == set()


def test_log_when_callers_read_it_is_the_desks_and_their_own(
    alice: httpx.Client, bob: httpx.Client, operator: httpx.Client, hers: Hers
) -> None:
    seen: dict[str, dict[str, dict[str, Any]]] = {}
    for name, api in (("alice", alice), ("bob", bob), ("operator", operator)):
        events, cursor = list[dict[str, Any]](), ""
        while True:
            page = api.get("/api/events", params={"after": cursor, "limit": 37}).json()
            events, cursor = events + page["events"], page["cursor"]
            if not page["events"]:
                break
        assert len({event["id"] for event in events}) == len(events)
        seen[name] = {event["id"]: event for event in events}
        if name != "operator":
            assert {event.get("owner", "") for event in events if event["type"] not in PUBLIC} <= {name}
    assert set(hers.events) <= seen["alice"].keys() <= seen["operator"].keys()
    assert seen["bob"].keys() <= seen["operator"].keys()
    public = [{key for key, event in each.items() if event["type"] in PUBLIC} for each in seen.values()]
    assert len(public[0] & public[1]) > 100


@pytest.mark.parametrize("path", ["/api/events", "/api/stream"])
def test_long_poll_when_something_happens_to_another_goes_on(
    alice: httpx.Client, bob: httpx.Client, hers: Hers, path: str
) -> None:
    cursor = bob.get("/api/events", params={"after": "latest"}).json()["cursor"]
    query: dict[str, str | float] = {"after": cursor, "types": "trade.requested,consensus.reached", "wait": 25}
    answers: list[str] = []
    waiting = threading.Thread(target=lambda: answers.append(bob.get(path, params=query, timeout=60).text))
    waiting.start()
    for _ in range(3):
        story(alice, ask(alice)["id"], "consensus.reached")
    assert waiting.is_alive()
    own = ask(bob)["id"]
    waiting.join(60)
    assert own in answers[0]
    assert "alice" not in answers[0]
    story(bob, own, "consensus.reached")  # or it would end the next wait


def test_portfolio_when_two_owners_use_a_name_is_of_each(
    guarded: Guarded, alice: httpx.Client, bob: httpx.Client
) -> None:
    first, second = hold(alice, "main", cash=1_000, ibm=5), hold(bob, "main", cash=9_000_000, ibm=5)
    assert first["event"] != second["event"]
    for api, held in ((alice, first), (bob, second)):
        story(api, held["event"], "risk.assessed")
        again = _measured(api)
        assert again["cash"] == held["cash"]
        assert again["risk"]["value"] > again["cash"]
        assert again["risk"]["value"] < again["cash"] + 5_000
        view = api.get("/api/agents/risk_manager/views/main").json()
        assert view["id"] == again["risk"]["event"]
        assert "main" in api.get("/api/portfolios").json()["portfolios"]
    with guarded.client("carol") as carol:
        assert carol.get("/api/portfolios").json() == {"portfolios": []}
        views = {agent["name"]: agent["views_on"] for agent in carol.get("/api/agents").json()["agents"]}
    assert views["risk_manager"] == []
    assert "IBM" in views["market_analyst"]


def test_trade_when_it_is_for_anothers_portfolio_is_refused(alice: httpx.Client, bob: httpx.Client, hers: Hers) -> None:
    body = {"symbol": "IBM", "side": "buy", "quantity": 1}
    for path, asked in (("/api/trades", body), ("/api/options", {"symbol": "IBM", "risk_budget": 1_000})):
        answers = [bob.post(path, json=asked | {"portfolio": name}) for name in (SECRET_NAME, "nothing-at-all")]
        assert [answer.status_code for answer in answers] == [422, 422]
        assert answers[0].text.replace(SECRET_NAME, "*") == answers[1].text.replace("nothing-at-all", "*")
    assert bob.post("/api/trades", json=body | {"portfolio": f"alice:{SECRET_NAME}"}).status_code == 422


def test_trade_when_it_is_judged_is_so_by_its_owners_portfolio(alice: httpx.Client, bob: httpx.Client) -> None:
    hold(alice, "same", cash=10, ibm=1)
    hold(bob, "same", cash=10_000_000, ibm=1)
    decisions = []
    for api in (alice, bob):
        trade = ask(api, quantity=100, portfolio="same")
        story(api, trade["id"], "consensus.reached")
        opinions = api.get(f"/api/trades/{trade['id']}").json()["opinions"]
        decisions.append(next(each.get("veto") for each in opinions if each["agent"] == "risk_manager"))
    assert "more than the cash there is" in decisions[0]
    assert decisions[1] is None


def test_idempotency_key_when_two_owners_use_one_is_of_each(
    guarded: Guarded, alice: httpx.Client, bob: httpx.Client, operator: httpx.Client
) -> None:
    first, second = ask(alice, 11, key="the-same"), ask(bob, 12, key="the-same")
    assert first["id"] != second["id"]
    assert (ask(alice, 11, key="the-same")["id"], ask(bob, 12, key="the-same")["id"]) == (first["id"], second["id"])
    with guarded.client("desk") as desk:
        for api, headline in ((desk, "A headline of the desk's"), (operator, "A headline of oscar's")):
            body = {"headline": headline, "symbols": ["IBM"]}
            assert api.post("/api/news", json=body, headers={"Idempotency-Key": "the-same"}).status_code == 202


def test_news_when_a_trader_hands_it_in_is_refused_for_it_would_move_everybodys_votes(alice: httpx.Client) -> None:
    assert alice.post("/api/news", json={"headline": "IBM is bankrupt", "symbols": ["IBM"]}).status_code == 403


def test_operator_when_it_debugs_sees_everything(operator: httpx.Client, guarded: Guarded, hers: Hers) -> None:
    for event in hers.events:
        assert operator.get(f"/api/events/{event}").status_code == 200
    assert operator.get(f"/api/trades/{hers.trade}").json()["state"] == "decided"
    assert _told(_log(operator, stream=hers.stream), hers) >= {SECRET_NAME, "alice"}
    assert operator.put("/api/portfolios/main", json={"cash": 1}).status_code == 403


def test_portfolio_when_it_is_the_desks_own_is_for_operators(guarded: Guarded, operator: httpx.Client) -> None:
    with guarded.client("desk") as desk, guarded.client("carol") as carol:
        held = hold(desk, "paper", cash=12_345)
        story(desk, held["event"], "risk.assessed")
        assert "owner" not in desk.get(f"/api/events/{held['event']}").json()
        assert operator.get("/api/portfolios/paper").json()["cash"] == 12_345
        assert carol.get("/api/portfolios/paper").status_code == 404
        assert carol.get(f"/api/events/{held['event']}").status_code == 404
        assert carol.get("/api/agents/risk_manager/views/paper").status_code == 404
        assert held["event"] not in _log(carol)


def test_agent_when_another_looks_tells_nothing_of_hers(guarded: Guarded, alice: httpx.Client, hers: Hers) -> None:
    assert SECRET_NAME in alice.get("/api/agents/risk_manager").raise_for_status().text
    for name in ("risk_manager", "consensus", "research_agent", "portfolio_optimizer"):
        _until_it_has_a_view(alice, name)
        for caller in ("bob", "carol"):
            with guarded.client(caller) as api:
                assert _told(api.get(f"/api/agents/{name}").raise_for_status().text, hers) == set()


def test_memory_when_another_looks_is_its_own(guarded: Guarded, alice: httpx.Client, hers: Hers) -> None:
    path = "/api/agents/risk_manager/memory"
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not _told(alice.get(path).raise_for_status().text, hers):
        assert time.monotonic() < deadline, "nothing is remembered"
        time.sleep(0.1)
    for caller in ("bob", "carol", "desk"):
        with guarded.client(caller) as api:
            for query in ("", "?q=buy+IBM"):
                assert _told(api.get(path + query).raise_for_status().text, hers) == set()


def _until_it_has_a_view(api: httpx.Client, agent: str) -> None:
    """Return when the projector has come to something that the caller may read; the optimizer is asked once a day."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while api.get(f"/api/agents/{agent}").raise_for_status().json()["latest"] is None:
        assert time.monotonic() < deadline, f"{agent} has no view"
        time.sleep(0.1)


def test_question_when_another_asks_the_same_is_answered_from_what_is_its_own(
    alice: httpx.Client, bob: httpx.Client, hers: Hers
) -> None:
    own = alice.get(f"/api/questions/{hers.question}").json()["research"]
    assert {finding["topic"] for finding in own["findings"]} >= {"risk", "decision"}
    for text in (f"What is the risk of {SECRET_NAME}?", f"Why was {hers.trade} decided so?", "Why was IBM rejected?"):
        asked = bob.post("/api/questions", json={"text": text}).raise_for_status().json()["id"]
        story(bob, asked, "research.completed")
        research = bob.get(f"/api/questions/{asked}").json()["research"]
        assert not [each for each in research.get("findings", []) if hers.trade in each["events"]]
        assert _told(str(research), hers) == set()


def test_etag_when_two_callers_share_a_browser_is_of_each(alice: httpx.Client, bob: httpx.Client, hers: Hers) -> None:
    query: dict[str, str | int] = {"types": "portfolio.changed", "limit": 1}
    first = alice.get("/api/events", params=query)
    second = bob.get("/api/events", params=query, headers={"If-None-Match": first.headers["etag"]})
    assert second.status_code == 200
    assert "authorization" in first.headers["vary"]
    assert alice.get("/api/events", params=query, headers={"If-None-Match": first.headers["etag"]}).status_code == 304


def test_costs_when_another_asks_leave_hers_out(alice: httpx.Client, bob: httpx.Client, hers: Hers) -> None:
    def executions(api: httpx.Client, **asked: str) -> int:
        costs: dict[str, Any] = api.get("/api/costs", params=asked).raise_for_status().json()
        return int(costs["total"]["use"]["executions"])

    assert executions(alice, trade=hers.trade) >= 5
    assert executions(bob, trade=hers.trade) == 0
    listed = [bob.get("/api/costs", params={"by": by}).raise_for_status().text for by in ("trade", "owner")]
    assert not any(trace in text for text in listed for trace in (*hers.traces, "alice"))
