"""Health and the door for new trades, through Microsoft's worker, on a desk whose agents have stopped."""

import json
import time
from typing import Any

import pytest

from tests.functions.conftest import Invoke
from tests.functions.host_message import http
from tests.functions.test_http import JSON, SITE, TRADE, Functions, answer

PATIENCE_SECONDS = 20


@pytest.fixture(autouse=True)
def _hurry(monkeypatch: pytest.MonkeyPatch, own_desk: None) -> None:
    monkeypatch.setenv("FINAGENT_DEADLINE_SECONDS", "0.001")
    monkeypatch.setenv("FINAGENT_SPEED", "1")


async def ask(functions: Functions, invoke: Invoke, method: str, path: str, body: bytes = b"") -> tuple[int, Any, Any]:
    request, metadata = http(method, SITE + path, body, JSON if body else {})
    status, headers, content = answer(await invoke(functions["api"], request, metadata))
    return status, headers, json.loads(content)


async def test_desk_when_its_agents_do_not_keep_up_says_so_and_turns_trades_away(
    functions: Functions, invoke: Invoke
) -> None:
    assert (await ask(functions, invoke, "GET", "/api/health"))[0] == 200
    assert (await ask(functions, invoke, "POST", "/api/trades", TRADE))[0] == 202
    ends = time.monotonic() + PATIENCE_SECONDS
    while (health := await ask(functions, invoke, "GET", "/api/health"))[0] == 200 and time.monotonic() < ends:
        time.sleep(0.05)  # noqa: ASYNC251 - nothing else goes on
    status, _, body = health
    assert (status, body["status"]) == (503, "overloaded")
    assert "messages wait longer than 0.001 s: events/consensus" in body["problems"][0]
    assert body["waits"]["events/consensus"] >= 0
    assert body["backlog"]["events/consensus"] == 1
    status, headers, refusal = await ask(functions, invoke, "POST", "/api/trades", TRADE)
    assert (status, headers["retry-after"]) == (503, "10")
    assert "overloaded" in refusal["detail"]
    assert (await ask(functions, invoke, "GET", "/api/health/live"))[::2] == (200, {"status": "alive"})
    assert (await ask(functions, invoke, "GET", "/api/agents"))[0] == 200
