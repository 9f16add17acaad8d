"""Backtests over HTTP: from the request to the report."""

import time

import httpx
import pytest

from tests.e2e.refusal import refused

WEEK = {"first_day": "2008-01-02", "last_day": "2008-01-11", "symbols": ["AAPL", "IBM"], "lookback_days": 30}


def ended(api: httpx.Client, replay: str) -> dict[str, object]:
    for _ in range(1_200):
        document: dict[str, object] = api.get(f"/api/replays/{replay}").raise_for_status().json()
        if document["state"] != "open":
            return document
        time.sleep(0.1)
    raise AssertionError(f"replay {replay} is still open")


def test_replay_when_it_is_asked_for_twice_has_the_same_hash_and_its_report(api: httpx.Client) -> None:
    hashes = set()
    for key in ("one", "two"):
        asked = api.post("/api/replays", json=WEEK, headers={"Idempotency-Key": f"replay-{key}"})
        assert asked.status_code == 202
        assert asked.json()["state"] == "open"
        assert asked.headers["location"] == f"/api/replays/{asked.json()['id']}"
        document = ended(api, asked.json()["id"])
        assert (document["state"], document["progress"], document["problem"]) == ("completed", 1.0, None)
        report = document["report"]
        assert isinstance(report, dict)
        assert report["manifest"]["backtest"]["symbols"] == WEEK["symbols"]
        assert len(report["series"]["equity"]) == 9
        hashes.add(document["hash"])
    assert len(hashes) == 1
    listed = api.get("/api/replays").json()["replays"]
    assert [each["hash"] for each in listed if each["hash"] in hashes] == [*hashes] * 2


def test_replay_when_there_are_no_bars_fails_and_says_why(api: httpx.Client) -> None:
    asked = api.post("/api/replays", json=WEEK | {"first_day": "1990-01-02", "last_day": "1990-01-09"}).json()["id"]
    document = ended(api, asked)
    assert (document["state"], document["report"]) == ("failed", None)
    assert "no bar in the 30 days before 1990-01-02" in str(document["problem"])


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"first_day": "1900-01-01"}, "last_day"),
        ({"first_day": "2008-02-01", "last_day": "2008-01-01"}, "body"),
        ({"cash": -1}, "cash"),
        ({"cash": True}, "cash"),
        ({"first_day": 0}, "first_day"),
        ({"news": 0}, "news"),
        ({"symbols": ["IBM", "TSLA"]}, "symbols"),
        ({"agents": ["seer"]}, "agents"),
        ({"portfolio": 65 * "x"}, "portfolio"),
    ],
)
def test_replay_when_it_cannot_be_is_refused(api: httpx.Client, changes: dict[str, object], field: str) -> None:
    refused(api.post("/api/replays", json=WEEK | changes), 422, field)


def test_replay_when_a_key_is_used_for_another_is_refused(api: httpx.Client) -> None:
    key = {"Idempotency-Key": "replay-other"}
    assert api.post("/api/replays", json=WEEK, headers=key).status_code == 202
    assert api.post("/api/replays", json=WEEK | {"cash": 5}, headers=key).status_code == 409
