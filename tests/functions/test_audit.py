"""The audit as events: each change leaves one, for whom it concerns, and none gets lost without a word."""

import logging
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from functions.api.access import ROLES, SAFE
from shared.bus.port import message_for
from shared.callers.sqlite import SqliteKeyRing
from shared.clock import WallClock
from shared.errors import TransientError
from shared.events.catalogue import decode
from shared.events.change import Change, ChangeMade
from shared.store.port import Filter
from shared.wiring import desk
from tests.builders import a_trade_request
from tests.functions.guarded import MADE_AT, OPERATE, READ, TRADE, a_key, client

ASKED = {"symbol": "IBM", "side": "buy", "quantity": 1}
REDRIVE = ("POST", "/api/dead-letters/{id}/redrive")  # takes a dead letter
CHANGES: dict[tuple[str, str], tuple[str, dict[str, Any] | None]] = {
    ("POST", "/api/trades"): ("/api/trades", ASKED),
    ("POST", "/api/options"): ("/api/options", {"symbol": "IBM", "risk_budget": 1000}),
    ("POST", "/api/questions"): ("/api/questions", {"text": "How risky is IBM?"}),
    ("PUT", "/api/portfolios/{name}"): ("/api/portfolios/main", {"cash": 7}),
    ("POST", "/api/news"): ("/api/news", {"headline": "IBM raises its forecast", "symbols": ["IBM"]}),
    ("POST", "/api/replays"): ("/api/replays", {"first_day": "2008-01-02", "last_day": "2008-01-31"}),
    ("DELETE", "/api/memory"): ("/api/memory?source=news-1", None),
    ("POST", "/api/recoveries"): ("/api/recoveries?since=2008-01-01T00:00:00Z", None),
}
FULL = """
CREATE TRIGGER full BEFORE INSERT ON events WHEN NEW.type = 'change.made' BEGIN SELECT json('the disk is full'); END
"""


@pytest.fixture
def keys(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Have the desk ask for keys, and give the folder that they are in."""
    monkeypatch.setenv("FINAGENT_AUTH", "key")
    return tmp_path


async def told() -> list[ChangeMade]:
    page = await desk().store.page(Filter(types=(ChangeMade.name(),)), "", 50)
    return [event for event in map(decode, page.events) if isinstance(event, ChangeMade)]


async def changes() -> list[Change]:
    return [event.data for event in await told()]


async def a_dead_letter(subscription: str) -> None:
    bus = desk().bus
    await bus.publish([message_for(a_trade_request())])
    while not await bus.dead_letters():
        await bus.abandon(await bus.receive(subscription), "boom")


async def listed(api: httpx.AsyncClient, headers: dict[str, str]) -> list[str]:
    """Give what a caller is told was done, in the order of the log or from its end."""
    pages = [await api.get(f"/api/events?types=change.made&newest={newest}", headers=headers) for newest in (0, 1)]
    page, newest = [[event["data"]["action"] for event in answer.json()["events"]] for answer in pages]
    assert page == newest
    return page


def test_changes_when_compared_with_the_routes_are_all_of_them() -> None:
    assert {*CHANGES, REDRIVE} == {(method, path) for method, path in ROLES if method not in SAFE}


@pytest.mark.parametrize(("route", "asked"), CHANGES.items(), ids=str)
async def test_change_when_nobody_is_asked_who_calls_is_the_local_ones(
    route: tuple[str, str], asked: tuple[str, dict[str, Any] | None]
) -> None:
    method, (address, body) = route[0], asked
    async with client() as api:
        answer = await api.request(method, address, json=body)
    assert answer.is_success, answer.text
    [change] = await changes()
    assert (change.caller, change.action) == ("local", f"{method} {address.partition('?')[0]}")
    assert change.made == answer.headers.get("location", "")


async def test_change_when_a_dead_letter_is_redriven_is_whose_who_did_so(keys: Path) -> None:
    await a_dead_letter("events/risk-manager")
    key, oscar = await a_key(keys, None, OPERATE)
    async with client(oscar) as api:
        [letter] = (await api.get("/api/dead-letters")).json()["dead_letters"]
        for status in (202, 404):
            assert (await api.post(f"/api/dead-letters/{letter['id']}/redrive")).status_code == status
    [change] = await changes()
    assert (change.caller, change.action) == (f"key:{key.id}", f"POST /api/dead-letters/{letter['id']}/redrive")


async def test_change_when_it_is_kept_has_the_times_of_the_desk_and_of_the_wall(keys: Path) -> None:
    (_, alice), (_, oscar) = await a_key(keys, "alice", TRADE), await a_key(keys, None, TRADE, OPERATE)
    wall, began = WallClock(), WallClock().now()
    async with client() as api:
        for headers in (alice, oscar):
            assert (await api.put("/api/portfolios/main", json={"cash": 7}, headers=headers)).is_success
    hers, his = await told()
    assert (hers.stream, his.stream) == ("audit:alice", "audit")
    assert hers.time <= desk().clock.now() < began <= hers.data.at <= his.data.at <= wall.now()


async def test_change_when_it_is_listed_is_its_owners_and_operators_alone(keys: Path) -> None:
    (key, alice), (_, bob), (_, oscar), (_, rita) = [
        await a_key(keys, owner, role)
        for owner, role in (("alice", TRADE), ("bob", TRADE), (None, OPERATE), ("rita", READ))
    ]
    async with client() as api:
        await api.put("/api/portfolios/hers", json={"cash": 7.25}, headers=alice)
        await api.put("/api/portfolios/his", json={"cash": 7.25}, headers=bob)
        await api.post("/api/recoveries?since=2008-01-01T00:00:00Z", headers=oscar)
        hers, his, own = "PUT /api/portfolios/hers", "PUT /api/portfolios/his", "POST /api/recoveries"
        assert [await listed(api, who) for who in (alice, bob, oscar, rita)] == [[hers], [his], [hers, his, own], []]
    found = await changes()
    assert found[0].caller == f"key:{key.id}"
    assert "7.25" not in str(found)
    assert alice["Authorization"].removeprefix("Bearer ") not in str(found)


async def test_change_when_it_is_refused_is_no_event(keys: Path) -> None:
    _, alice = await a_key(keys, "alice", READ)
    _, bob = await a_key(keys, "bob", TRADE)
    async with client() as api:
        for headers in (alice, bob, {}):
            await api.post("/api/trades", json={"symbol": "IBM"}, headers=headers)
        assert (await api.get("/api/topology", headers=alice)).status_code == 200
    assert await changes() == []


async def test_change_when_it_is_asked_for_again_is_one(keys: Path) -> None:
    _, alice = await a_key(keys, "alice", TRADE)
    async with client(alice | {"Idempotency-Key": "once"}) as api:
        for _ in range(2):
            assert (await api.post("/api/trades", json=ASKED)).is_success
        for _ in range(2):
            assert (await api.put("/api/portfolios/main", json={"cash": 7})).is_success
    assert [change.action for change in await changes()] == ["POST /api/trades", *["PUT /api/portfolios/main"] * 2]


async def test_change_when_two_keys_of_an_owner_ask_for_it_is_eithers(keys: Path) -> None:
    pair = [await a_key(keys, "alice", TRADE) for _ in range(2)]
    async with client({"Idempotency-Key": "once"}) as api:
        made = {(await api.post("/api/trades", json=ASKED, headers=shown)).headers["location"] for _, shown in pair}
    assert [(change.caller, {change.made}) for change in await changes()] == [
        (f"key:{key.id}", made) for key, _ in pair
    ]


async def test_change_when_its_path_is_long_is_cut_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "finagent.audit"):
        async with client() as api:
            assert not (await api.put(f"/api/portfolios/{'x' * 5_000}", json={"cash": 7})).is_success
    [line] = [record.getMessage() for record in caplog.records if record.name == "finagent.audit"]
    assert len(line) < 400


async def test_change_when_the_audit_cannot_be_stored_is_told_and_asked_for_again(
    keys: Path, caplog: pytest.LogCaptureFixture
) -> None:
    key, alice = await a_key(keys, "alice", TRADE)
    database = desk().database
    assert database is not None
    async with client(alice | {"Idempotency-Key": "once"}) as api:
        database.set_up(FULL)
        with caplog.at_level(logging.INFO, "finagent.audit"):
            refused = await api.post("/api/trades", json=ASKED)
        assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
        assert "could not be written down" in refused.json()["detail"]
        assert refused.headers["x-content-type-options"] == "nosniff"
        assert await changes() == []
        [line] = [record.getMessage() for record in caplog.records if record.name == "finagent.audit"]
        assert line.startswith(f"POST '/api/trades' by key:{key.id} of alice: 202 /api/trades/")
        assert "is in no event of the audit" in caplog.text
        database.set_up("DROP TRIGGER full")
        made = (await api.post("/api/trades", json=ASKED)).headers["location"]
    assert [change.made for change in await changes()] == [made]
    assert line.endswith(made)


async def test_key_when_it_was_made_and_revoked_is_told_once_by_every_host(keys: Path) -> None:
    (key, alice), (_, oscar) = await a_key(keys, "alice", READ), await a_key(keys, None, OPERATE)
    await desk().sweep.tick()
    async with client() as api:
        assert await listed(api, alice) == ["finagent keys create"]
        await SqliteKeyRing(keys / "keys.sqlite").revoke(key.id, MADE_AT + timedelta(days=60))
        await desk().sweep.tick()
        await desk().close()
        desk.cache_clear()  # as another process has told nothing yet
        await desk().sweep.tick()
        assert await listed(api, oscar) == ["finagent keys create"] * 2 + ["finagent keys revoke"]
    *_, revoked = await changes()
    assert revoked == Change(
        caller="local", action="finagent keys revoke", made=f"key:{key.id}", at=MADE_AT + timedelta(days=60)
    )
    assert alice["Authorization"].removeprefix("Bearer ") not in str(await changes())


async def test_key_when_it_cannot_be_told_of_is_told_of_later(keys: Path) -> None:
    await a_key(keys, "alice", READ)
    database = desk().database
    assert database is not None
    database.set_up(FULL)
    with pytest.raises(TransientError):
        await desk().sweep.tick()
    assert await changes() == []
    database.set_up("DROP TRIGGER full")
    await desk().sweep.tick()
    assert [change.action for change in await changes()] == ["finagent keys create"]


async def test_keys_when_nobody_is_asked_for_one_are_not_looked_for(tmp_path: Path) -> None:
    await desk().sweep.tick()
    assert not (tmp_path / "keys.sqlite").exists()
