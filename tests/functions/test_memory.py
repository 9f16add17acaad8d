"""Agents' memory over HTTP: as it was, an owner's own, and revoked by whoever may."""

from pathlib import Path

import pytest

from functions.api.access import ROLES
from shared.callers.caller import Role
from shared.events.catalogue import decode
from shared.events.memory import MemoryRevoked
from shared.memory.memory import Memory
from shared.store.port import Filter
from shared.wiring import desk
from tests.builders import CLOSE, DAY
from tests.functions.guarded import OPERATE, READ, TRADE, a_key, client
from tests.memories import a_memory, an_outcome

PATH = "/api/agents/oracle/memory"
LATER = "2009-01-01T00:00:00Z"


@pytest.fixture
def keys(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Have the desk ask for keys, and give the folder that they are in."""
    monkeypatch.setenv("FINAGENT_AUTH", "key")
    return tmp_path


async def remember(*memories: Memory) -> None:
    await desk().memories.remember(memories)


async def events(kind: str) -> list[MemoryRevoked]:
    page = await desk().store.page(Filter(types=(kind,)), "", 10)
    return [event for event in map(decode, page.events) if isinstance(event, MemoryRevoked)]


def ids(answer: object) -> list[str]:
    assert isinstance(answer, dict)
    return [each["memory"]["id"] for each in answer["memories"]]


async def test_memory_when_asked_gives_the_newest_or_the_likest() -> None:
    await remember(a_memory("sell MSFT against", id="m-1"), a_memory("buy IBM for", id="m-2", known_at=CLOSE + DAY))
    async with client() as api:
        newest = (await api.get(PATH, params={"as_of": LATER})).json()
        likest = (await api.get(PATH, params={"as_of": LATER, "q": "sell MSFT", "limit": "1"})).json()
        nothing = (await api.get(PATH, params={"as_of": LATER, "q": "???"})).json()
        others = (await api.get("/api/agents/risk_manager/memory", params={"as_of": LATER})).json()
    assert ids(newest) == ["m-2", "m-1"]
    assert "similarity" not in newest["memories"][0]
    assert ids(likest) == ["m-1"]
    assert 0.5 < likest["memories"][0]["similarity"] <= 1
    assert all(each["similarity"] == 0 for each in nothing["memories"])
    assert others == {"agent": "risk_manager", "as_of": LATER, "memories": []}


async def test_memory_when_asked_as_of_a_moment_knows_nothing_of_what_came_after() -> None:
    await remember(a_memory("buy IBM", id="m-1", outcome=an_outcome(at=CLOSE + 8 * DAY)))
    await remember(a_memory("buy IBM canary", id="canary", known_at=CLOSE + DAY))
    async with client() as api:
        for query in ({}, {"q": "buy IBM canary"}):
            at = [
                (await api.get(PATH, params=query | {"as_of": (CLOSE + days * DAY).isoformat()})).json()
                for days in (0, 1, 8, 9)
            ]
            assert [sorted(ids(each)) for each in at] == [[], ["m-1"], ["canary", "m-1"], ["canary", "m-1"]]
            known = [{each["memory"]["id"]: each["memory"] for each in answer["memories"]} for answer in at]
            assert ["outcome" in each["m-1"] for each in known[1:]] == [False, False, True]


async def test_memory_when_the_agent_or_the_query_is_none_is_refused() -> None:
    async with client() as api:
        assert (await api.get("/api/agents/consensus/memory")).status_code == 404
        assert (await api.get("/api/agents/*/memory")).status_code == 422
        assert (await api.get(PATH, params={"q": "x" * 501})).status_code == 422
        assert (await api.get(PATH, params={"limit": "21"})).status_code == 422
        assert (await api.delete("/api/memory")).status_code == 422
        assert (await api.delete("/api/memory", params={"source": "*"})).status_code == 422


async def test_memory_when_callers_have_owners_is_each_ones_own(keys: Path) -> None:
    await remember(*(a_memory("secret", id=f"m-{owner}", owner=owner) for owner in ("alice", "bob", None)))
    given = (("alice", READ), ("bob", TRADE), (None, OPERATE))
    shown = {owner: (await a_key(keys, owner, role))[1] for owner, role in given}
    async with client() as api:
        for owner, headers in shown.items():
            for query in ({}, {"q": "secret"}):
                answer = (await api.get(PATH, params=query | {"as_of": LATER}, headers=headers)).json()
                assert ids(answer) == [f"m-{owner}"]


async def test_source_when_revoked_is_forgotten_for_ever_and_said_in_the_log() -> None:
    first = a_memory("first", id="m-1", sources=("news-1",))
    second = a_memory("second", id="m-2", recalled=("m-1",))
    await remember(first, second, a_memory("third", id="m-3"))
    async with client() as api:
        answer = (await api.delete("/api/memory", params={"source": "news-1"})).json()
        again = (await api.delete("/api/memory", params={"source": "news-1"})).json()
        await remember(first)
        left = (await api.get(PATH, params={"as_of": LATER})).json()
    assert (answer["memories"], answer["influenced"]) == (["m-1"], ["opinion-m-2"])
    assert again == answer
    assert sorted(ids(left)) == ["m-2", "m-3"]
    [revoked] = await events("memory.revoked")
    assert (revoked.id, revoked.data.everyone, revoked.owner) == (answer["event"], True, None)


async def test_source_when_a_trader_revokes_it_stays_with_the_others(keys: Path) -> None:
    mine, hers = (a_memory("on it", id=f"m-{each}", owner=each, sources=("news-1",)) for each in ("bob", "alice"))
    await remember(mine, hers)
    _, trader = await a_key(keys, "bob", TRADE)
    _, reader = await a_key(keys, "alice", READ)
    _, operator = await a_key(keys, "oscar", OPERATE, TRADE)
    async with client() as api:
        refused = await api.delete("/api/memory", params={"source": "news-1"}, headers=reader)
        bobs = (await api.delete("/api/memory", params={"source": "news-1"}, headers=trader)).json()
        left = (await api.get(PATH, params={"as_of": LATER}, headers=reader)).json()
        everyones = (await api.delete("/api/memory", params={"source": "news-1"}, headers=operator)).json()
        gone = (await api.get(PATH, params={"as_of": LATER}, headers=reader)).json()
    assert refused.status_code == 403
    assert (bobs["memories"], ids(left)) == (["m-bob"], ["m-alice"])
    assert (everyones["memories"], ids(gone)) == (["m-alice"], [])
    assert [(event.owner, event.data.everyone) for event in await events("memory.revoked")] == [
        ("bob", False),
        (None, True),
    ]


def test_routes_when_listed_take_a_reader_and_a_trader() -> None:
    assert ROLES["GET", "/api/agents/{name}/memory"] == Role.READER
    assert ROLES["DELETE", "/api/memory"] == Role.TRADER
