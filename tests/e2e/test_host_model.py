"""A host with a language model behind OpenAI's protocol: prose beside the numbers, paid for once."""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx

from tests.e2e.process import DeskProcess, finagent, read_log
from tests.standins.openai.model import explains
from tests.standins.openai.server import KEY, OpenAIStandIn

PATIENCE_SECONDS = 300


def until(look: Callable[[], Any]) -> Any:
    """Look again until there is something, and give it."""
    ends = time.monotonic() + PATIENCE_SECONDS
    while not (found := look()):
        assert time.monotonic() < ends, "it did not come"
        time.sleep(0.1)
    return found


def asked_trade(client: httpx.Client, quantity: int) -> str:
    asked = client.post("/api/trades", json={"symbol": "IBM", "side": "buy", "quantity": quantity})
    return str(asked.json()["id"])


def narrative(client: httpx.Client, trade: str) -> dict[str, Any]:
    found: dict[str, Any] = client.get(f"/api/trades/{trade}").json().get("narrative", {})
    return found


def test_trade_when_the_host_has_a_model_is_explained_and_paid_once(tmp_path: Path) -> None:
    with OpenAIStandIn(explains) as openai:
        settings = {
            "OPENAI_API_KEY": KEY,
            "OPENAI_BASE_URL": openai.url,
            "FINAGENT_SPEED": "60",
            "FINAGENT_LOOKBACK_DAYS": "90",
        }
        desk = DeskProcess(tmp_path, FINAGENT_START="2008-09-11", log=str(tmp_path / "log"), **settings)
        with desk:
            with desk.client() as client:
                trade = asked_trade(client, 10)
                told = until(lambda: narrative(client, trade))
                consensus = client.get(f"/api/trades/{trade}").json()["consensus"]
                assert f"It was {consensus['decision']} with a score of {consensus['score']:+.2f}" in told["text"]
                call = client.get(f"/api/events/{told['event']}").json()["data"]["calls"][0]
                paid = client.get("/api/costs", params={"trade": trade}).json()["total"]
                assert paid["use"]["input_tokens"] == call["took"]["input_tokens"] > 300
                assert paid["use"]["output_tokens"] == call["took"]["output_tokens"] > 0
                assert abs(paid["price"]["models"] - call["took"]["cost"]) < 1e-9
            desk.kill()
            before = asked = len(openai.seen)
            desk.start()
            with desk.client() as client:
                assert narrative(client, trade) == told
                openai.model = lambda request: "I would rather not."
                second = asked_trade(client, 11)
                other = until(lambda: narrative(client, second))
                assert (other["text"], other["abstained"]) == ("", "no JSON in the answer")
                assert client.get("/api/health").json()["status"] == "ready"
                assert client.get("/api/dead-letters").json()["dead_letters"] == []
        asked = len(openai.seen) - asked
        for decided in (trade, second):
            ran = finagent(tmp_path, "replay", "debug", decided, "--json", **settings)
            assert ran.returncode == 0, ran.stderr
            assert json.loads(ran.stdout)["differences"] == []
            assert "explanation.written" in ran.stdout
        assert (asked, len(openai.seen)) == (2, 2 + before)
    kept = b"".join(file.read_bytes() for file in tmp_path.rglob("*") if file.is_file())
    assert KEY.encode() not in kept
    assert read_log(desk.file, "SELECT count(*) FROM events WHERE type = 'explanation.written'") == [(2,)]
