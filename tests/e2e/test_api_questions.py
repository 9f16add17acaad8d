"""Questions over HTTP: asked once, answered with events that can be followed; and why a trade was decided so."""

from typing import Any

import httpx
import pytest

from tests.e2e.guarded import story
from tests.e2e.refusal import refused

TEXT = "What is the trend and the forecast of IBM, and was there a crash in 2008?"


def ask(api: httpx.Client, text: str = TEXT) -> dict[str, Any]:
    asked = api.post("/api/questions", json={"text": text}).raise_for_status().json()["id"]
    story(api, asked, "research.completed")
    found: dict[str, Any] = api.get(f"/api/questions/{asked}").json()
    return found


def test_question_when_it_is_asked_is_accepted_with_its_address(api: httpx.Client) -> None:
    response = api.post("/api/questions", json={"text": TEXT})
    asked = response.json()
    assert response.status_code == 202
    assert response.headers["location"] == f"/api/questions/{asked['id']}"
    assert asked["question"] == {"text": TEXT}
    event = api.get(f"/api/events/{asked['id']}").json()
    assert (event["type"], event["data"], event["time"]) == ("question.asked", {"text": TEXT}, asked["asked_at"])


def test_answer_when_it_comes_rests_on_events_that_are_there_and_not_later(api: httpx.Client) -> None:
    found = ask(api)
    research = found["research"]
    assert found["state"] == "answered"
    # Whether a crash is among them depends on how far the desk, which others use too, has come.
    assert {finding["topic"] for finding in research["findings"]} - {"crash"} == {"trend", "forecast"}
    for finding in research["findings"]:
        assert finding["text"]
        for event in finding["events"]:
            source = api.get(f"/api/events/{event}").raise_for_status().json()
            assert source["time"] <= found["asked_at"]
    assert research["findings"][0]["text"] in research["answer"]
    assert api.get(f"/api/events/{research['event']}").json()["causationid"] == found["id"]


def test_answer_when_nothing_is_known_says_so(api: httpx.Client) -> None:
    research = ask(api, "What is the weather like?")["research"]
    assert "names no symbol" in research["abstained"]
    assert "answer" not in research or research["answer"] is None
    assert research["findings"] == []


def test_question_when_its_key_comes_again_is_the_same_and_with_other_words_refused(api: httpx.Client) -> None:
    headers = {"Idempotency-Key": "question-again"}
    first, second = (api.post("/api/questions", json={"text": TEXT}, headers=headers) for _ in range(2))
    assert first.headers["location"] == second.headers["location"]
    story(api, first.json()["id"], "research.completed")
    kinds = [event["type"] for event in api.get(f"/api/events?correlation={first.json()['id']}").json()["events"]]
    assert sorted(kinds) == ["question.asked", "research.completed"]
    refused(api.post("/api/questions", json={"text": "Another?"}, headers=headers), 409, "idempotency-key")


@pytest.mark.parametrize("text", ["", " \n ", "x" * 501, 5, None, ["IBM"]])
def test_question_when_it_is_no_question_is_refused(api: httpx.Client, text: object) -> None:
    refused(api.post("/api/questions", json={"text": text}), 422, "text")


@pytest.mark.parametrize(
    "text",
    [
        "<script>alert(1)</script> IBM forecast",
        "../../etc/passwd IBM'; DROP TABLE events; --",
        "\x00\u202e IBM [1] {event_id} %s %00",
    ],
)
def test_question_when_it_is_hostile_is_data_and_nothing_else(api: httpx.Client, text: str) -> None:
    found = ask(api, text)
    assert found["question"]["text"] == text
    assert "IBM" in found["research"]["symbols"]
    answer = found["research"].get("answer") or ""
    assert not any(part in text and part in answer for part in ("<script>", "DROP TABLE", "passwd", "{event_id}"))


def test_trade_when_it_is_decided_says_why_down_to_the_last_number(api: httpx.Client) -> None:
    api.put("/api/portfolios/why", json={"cash": 10_000, "positions": [{"symbol": "IBM", "quantity": 10}]})
    trade = api.post("/api/trades", json={"symbol": "IBM", "side": "buy", "quantity": 1, "portfolio": "why"}).json()
    story(api, trade["id"], "consensus.reached")
    why = api.get(f"/api/trades/{trade['id']}/why").raise_for_status().json()
    nodes = {node["id"]: node for node in why["nodes"]}
    assert (why["state"], why["truncated"], why["unresolved"]) == ("decided", False, [])
    assert len(nodes) == len(why["nodes"])
    assert all(edge["source"] in nodes and edge["target"] in nodes for edge in why["edges"])
    numbers = [node for node in why["nodes"] if node["type"] == "number"]
    origins = {edge["source"] for edge in why["edges"] if edge["kind"] == "origin"}
    assert len(numbers) > 10
    assert {node["id"] for node in numbers} <= origins
    for node in why["nodes"]:
        if node["type"] != "number":
            assert api.get(f"/api/events/{node['id']}").raise_for_status().json()["type"] == node["type"]


def test_agent_when_it_is_asked_for_says_what_it_is_and_does(api: httpx.Client) -> None:
    agent = api.get("/api/agents/oracle").raise_for_status().json()
    assert agent["about"].startswith("The oracle: ")
    assert [each["topic"] for each in agent["subscriptions"]] == ["market", "events"]
    assert api.get(f"/api/events/{agent['latest']['event']}").json()["source"] == "oracle"
    assert api.get(f"/api/events/{agent['latest']['handled']}").status_code == 200
    assert all(each["weight"] > 0 for each in agent["standings"])
    early = api.get("/api/agents/oracle?as_of=2000-01-01T00:00:00Z").json()
    assert (early["latest"], early["votes"]["abstain_rate"]) == (None, None)
