"""Backtests that are asked for over HTTP: each comes to a result or to a reason, whatever happens meanwhile."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest

from local import host_json
from shared.agents.decision import Stateless
from shared.errors import TransientError
from shared.events.replay import Backtest, Replay, ReplayCompleted, ReplayRequested
from shared.replay.backtest import Watcher
from shared.replay.chronicle import ViewChanges
from shared.replay.manifest import manifest
from shared.replay.report import Report, report
from shared.replay.service import LONGEST_SECONDS, NAME, TURN_SECONDS, Replays
from shared.runtime import Received
from shared.settings import Settings
from shared.wiring import Desk, desk
from tests.backtests import played
from tests.builders import CLOSE, a_replay_request
from tests.e2e.process import ROOT

EXAMPLE = "the store of this test does not answer"


async def asked(replays: Replays, event: ReplayRequested) -> Replay:
    decision = await replays.role().handlers[ReplayRequested](event, Stateless(), None)
    [emit] = decision.emits
    assert isinstance(emit.event, ReplayCompleted)
    return emit.event.data


async def endless(_asked: Backtest, _run: str, watch: Watcher) -> Report:
    """Play on, as far as it is let."""
    for _ in range(1_000):
        watch(CLOSE, 0.25)
        await asyncio.sleep(0.01)
    raise AssertionError("nobody stopped it")


async def test_backtest_when_it_takes_too_long_ends_with_the_reason() -> None:
    made = await asked(Replays(endless, longest_seconds=0.01), a_replay_request())
    assert made.hash is None
    assert "stopped at 25% after 0.01 s" in str(made.problem)


async def test_backtest_when_the_host_stops_comes_again() -> None:
    replays = Replays(endless)
    replays.is_stopped = True
    with pytest.raises(TransientError, match="the host stops"):
        await asked(replays, a_replay_request())


async def test_backtest_when_another_is_played_waits_its_turn_and_then_comes_again_later() -> None:
    replays = Replays(endless, turn_seconds=0.01)
    first = asyncio.create_task(asked(replays, a_replay_request()))
    while not replays.reached:  # noqa: ASYNC110 - it is a thread that comes to it
        await asyncio.sleep(0.001)
    with pytest.raises(TransientError, match="another replay is being played"):
        await asked(replays, a_replay_request(cash=5.0))
    replays.is_stopped = True
    with pytest.raises(TransientError, match="the host stops"):
        await first


async def test_backtest_when_its_report_is_larger_than_an_item_of_the_store_is_kept_without_views() -> None:
    thoughts = tuple((place, "a thought of twenty-one") for place in range(50_000))
    views = ViewChanges(agent="a", subject="AAPL", name="trend", unit="", changes=thoughts)

    async def talkative(asked: Backtest, _run: str, _watch: Watcher) -> Report:
        """Play it, and have an agent say more than can be kept."""
        result, _ = await played(asked)
        made = report(result, manifest(asked, "recorded", result.outcome.data_hash))
        return made.model_copy(update={"views": (views,)})

    made = await asked(Replays(talkative), a_replay_request())
    assert len(views.model_dump_json()) > 1_600_000  # an event may hold less
    assert made.report is not None
    assert Report.model_validate_json(made.report).views == ()


def test_backtest_when_it_waits_and_plays_longest_is_over_before_its_host_ends_it() -> None:
    allowed = host_json.read(ROOT / "host.json", {}).function_timeout_seconds
    assert allowed is not None
    assert 0.95 * allowed >= TURN_SECONDS + LONGEST_SECONDS


@pytest.fixture
def current(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    """Give a desk on an empty folder, without a host."""
    for field in Settings.model_fields.values():
        monkeypatch.delenv(str(field.alias), raising=False)
    monkeypatch.setenv("FINAGENT_DATA", str(tmp_path))
    desk.cache_clear()
    yield desk()
    asyncio.run(desk().close())
    desk.cache_clear()


@pytest.fixture
async def api(current: Desk) -> AsyncIterator[httpx.AsyncClient]:
    """Give a client of its API."""
    from functions.api.application import application

    async with httpx.AsyncClient(transport=httpx.ASGITransport(application()), base_url="http://desk") as client:
        yield client


async def test_replay_when_its_message_is_given_up_has_failed_and_makes_room_for_others(
    current: Desk, api: httpx.AsyncClient
) -> None:
    body = a_replay_request().data.model_dump(mode="json")
    ids = [(await api.post("/api/replays", json=body)).json()["id"] for _ in range(4)]
    assert (await api.post("/api/replays", json=body)).status_code == 429
    event = await current.store.get(ids[0])
    assert event is not None
    await current.runtime.fail(Received(f"{ids[0]}:0", "replay.requested", event, topic="events"), NAME, EXAMPLE)
    shown = (await api.get(f"/api/replays/{ids[0]}")).json()
    assert (shown["state"], shown["problem"], shown["report"]) == ("failed", EXAMPLE, None)
    listed = {each["id"]: each["state"] for each in (await api.get("/api/replays")).json()["replays"]}
    assert listed == {ids[0]: "failed"} | dict.fromkeys(ids[1:], "open")
    assert (await api.post("/api/replays", json=body)).status_code == 202


async def test_replay_when_given_up_and_then_played_after_all_is_completed(
    current: Desk, api: httpx.AsyncClient
) -> None:
    replay = (await api.post("/api/replays", json=a_replay_request().data.model_dump(mode="json"))).json()["id"]
    event = await current.store.get(replay)
    assert event is not None
    received = Received(f"{replay}:0", "replay.requested", event, topic="events")
    await current.runtime.fail(received, NAME, EXAMPLE)
    await current.runtime.handle(received, NAME)
    shown = (await api.get(f"/api/replays/{replay}")).json()
    assert (shown["state"], shown["problem"]) == ("completed", None)
    assert (await api.get("/api/replays")).json()["replays"][0]["state"] == "completed"
