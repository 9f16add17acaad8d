"""A backtest whose host is killed in the middle of it is played all the same, and comes to the same hash."""

import asyncio
import time
from pathlib import Path
from typing import Any

import httpx

from shared.events.replay import Backtest
from tests.backtests import played
from tests.e2e.process import DeskProcess

ASKED = {"first_day": "2008-01-02", "last_day": "2008-06-30", "symbols": ["AAPL", "IBM"], "lookback_days": 30}
MOST_LOOKS = 2_000


def shown(api: httpx.Client, replay: str) -> dict[str, Any]:
    document: dict[str, Any] = api.get(f"/api/replays/{replay}").raise_for_status().json()
    return document


def test_backtest_when_its_host_is_killed_half_way_is_played_by_the_next(tmp_path: Path) -> None:
    expected, _ = asyncio.run(played(Backtest.model_validate(ASKED)))
    with DeskProcess(tmp_path) as desk:
        with desk.client() as api:
            replay = api.post("/api/replays", json=ASKED).raise_for_status().json()["id"]
            for _ in range(MOST_LOOKS):
                if (before := shown(api, replay))["progress"]:
                    break
                time.sleep(0.01)
        assert (before["state"], before["hash"]) == ("open", None)
        desk.kill()
        desk.start()
        with desk.client() as api:
            for _ in range(MOST_LOOKS):
                if (after := shown(api, replay))["state"] != "open":
                    break
                time.sleep(0.05)
    assert (after["state"], after["problem"], after["hash"]) == ("completed", None, expected.outcome.hash)
    assert not list((tmp_path / "replays").glob(".*")), "drafts of the run that was killed are left"
