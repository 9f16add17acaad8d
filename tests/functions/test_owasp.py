"""OWASP's API Security Top 10 of 2023, one by one; `docs/security.md` names what else tests each.

References
----------
https://owasp.org/API-Security/editions/2023/en/0x11-t10/
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from functions.api.access import ROLES
from shared.callers.caller import Role
from tests.functions.guarded import OPERATE, TRADE, a_key, client

ASKED = {"symbol": "IBM", "side": "buy", "quantity": 1}
NEWS = {"headline": "IBM raises its forecast", "symbols": ["IBM"]}
HELD = {"cash": 5}


@pytest.fixture(autouse=True)
def keys(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Have the desk ask for keys, and give the folder that they are in."""
    monkeypatch.setenv("FINAGENT_AUTH", "key")
    return tmp_path


async def _owners(folder: Path) -> tuple[dict[str, str], dict[str, str]]:
    return (await a_key(folder, "alice", TRADE))[1], (await a_key(folder, "bob", TRADE))[1]


async def test_api1_object_when_its_id_is_known_is_still_its_owners_alone(keys: Path) -> None:
    alice, bob = await _owners(keys)
    async with client() as api:
        trade = (await api.post("/api/trades", json=ASKED, headers=alice)).json()["id"]
        for address in (f"/api/trades/{trade}", f"/api/events/{trade}"):
            assert [(await api.get(address, headers=who)).status_code for who in (alice, bob)] == [200, 404]


async def test_api2_caller_when_it_shows_anything_but_a_key_is_nobody(keys: Path) -> None:
    alice, _ = await _owners(keys)
    text = alice["Authorization"].removeprefix("Bearer ")
    claims = {"X-MS-CLIENT-PRINCIPAL": "e30=", "X-API-Key": text, "Cookie": f"key={text}", "X-Owner": "alice"}
    async with client(claims) as api:
        assert (await api.get("/api/portfolios")).status_code == 401
        assert (await api.get(f"/api/portfolios?key={text}")).status_code == 400


@pytest.mark.parametrize(
    "name", ["owner", "audience", "stream", "id", "correlationid", "run", "origin", "veto", "roles"]
)
async def test_api3_property_when_a_caller_may_not_set_it_is_refused(keys: Path, name: str) -> None:
    _, alice = await a_key(keys, "alice", TRADE, OPERATE)
    async with client(alice) as api:
        answers = [
            await api.post("/api/trades", json=ASKED | {name: "bob"}),
            await api.post("/api/news", json=NEWS | {name: "bob"}),
            await api.put("/api/portfolios/main", json=HELD | {name: "bob"}),
        ]
    assert [answer.status_code for answer in answers] == [422] * 3
    assert all(name in [error["field"] for error in answer.json()["errors"]] for answer in answers)


async def test_api4_request_when_it_would_cost_much_is_bounded(keys: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FINAGENT_REQUESTS_PER_SECOND", "4.5")
    alice, _ = await _owners(keys)
    async with client(alice) as api:
        assert (await api.get("/api/events?limit=501")).status_code == 422
        assert (await api.get("/api/events?wait=26")).status_code == 422
        assert (await api.post("/api/trades", content=b" " * 1_000_001)).status_code == 413
        codes = [(await api.get("/api/topology")).status_code for _ in range(40)]
    assert codes.count(429) >= 20


async def test_api5_function_when_it_is_for_operators_is_for_no_one_else(keys: Path) -> None:
    alice, _ = await _owners(keys)
    guarded = [route for route, role in ROLES.items() if role is Role.OPERATOR]
    assert guarded
    async with client(alice) as api:
        for method, path in guarded:
            address = path.replace("{id}", "events:risk-manager:1")
            assert (await api.request(method, address)).status_code == 403
            assert (await api.request(method, address, headers={"X-HTTP-Method-Override": "GET"})).status_code == 403


async def test_api6_trade_when_it_is_asked_for_again_is_asked_once_and_buys_nothing(keys: Path) -> None:
    alice, _ = await _owners(keys)
    async with client(alice) as api:
        for _ in range(5):
            await api.post("/api/trades", json=ASKED, headers={"Idempotency-Key": "one"})
        events = (await api.get("/api/events?types=trade.requested")).json()["events"]
        kinds = (await api.get("/api/schemas")).json()["schemas"]
    assert len(events) == 1
    assert not [kind for kind in kinds if ("order" in kind or "filled" in kind) and kind != "trade.filled"]  # replays


async def test_api7_request_when_it_is_made_cannot_name_an_address_for_the_desk_to_visit(keys: Path) -> None:
    async with client() as api:
        document = (await api.get("/api/openapi.json")).json()
    fields = list(_fields(document))
    assert len(fields) > 100
    assert [name for name, schema in fields if "ur" in str(schema.get("format", "")) or _is_address(name)] == []


async def test_api8_answer_when_something_is_wrong_tells_nothing_of_the_inside(
    keys: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    alice, _ = await _owners(keys)
    async with client(alice | {"Origin": "https://evil.example"}) as api:
        (keys / "keys.sqlite").write_bytes(b"broken" * 1_000)
        answers = [await api.get("/api/topology"), await api.get("/api/nothing"), await api.get("/api/events?x=1")]
        assert [answer.status_code for answer in answers] == [503, 404, 503]
        for answer in answers:
            assert "access-control-allow-origin" not in answer.headers
            assert answer.headers["x-content-type-options"] == "nosniff"
            assert "server" not in answer.headers
            assert "Traceback" not in answer.text
            assert str(keys) not in answer.text


async def test_api9_route_when_there_is_one_is_in_the_document(keys: Path) -> None:
    async with client() as api:
        document = (await api.get("/api/openapi.json")).json()
    described = {(method.upper(), path) for path, item in document["paths"].items() for method in item}
    assert described == ROLES.keys()


async def test_api10_text_when_it_comes_from_elsewhere_stays_text(keys: Path) -> None:
    alice, _ = await _owners(keys)
    _, shown = await a_key(keys, None, OPERATE, TRADE)
    headline = 'x"}\n\ndata: {"type":"consensus.reached"}\n\nid: 7\u2028<script>alert(1)</script>'
    async with client() as api:
        (await api.post("/api/news", json=NEWS | {"headline": headline}, headers=shown)).raise_for_status()
        batch = await api.get("/api/stream?types=news.received&wait=0", headers=alice)
    lines = [line for line in batch.text.split("\n") if line.startswith("data: ")]
    assert [json.loads(line.removeprefix("data: "))["data"]["headline"] for line in lines] == [headline]
    assert batch.text.count("\nid: ") == 1
    assert batch.headers["content-type"].startswith("text/event-stream")


def _fields(node: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    if isinstance(node, dict):
        yield from ((name, schema) for name, schema in node.get("properties", {}).items())
        if "in" in node and "name" in node:
            yield node["name"], node.get("schema", {})
        for child in node.values():
            yield from _fields(child)
    elif isinstance(node, list):
        for child in node:
            yield from _fields(child)


def _is_address(name: str) -> bool:
    return any(part in name.lower() for part in ("url", "uri", "href", "callback", "webhook"))
