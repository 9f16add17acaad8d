"""Many who wait for events at once: they cost nothing while they wait, and one event wakes those that want it."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import azure.functions as func
import pytest

from functions import api
from local.registration import Registered, registrations
from shared.store.sqlite import SqliteEventStore
from shared.wiring import desk
from tests.builders import a_headline, a_portfolio

CROWD = 500


@pytest.fixture(scope="module")
def function() -> Registered:
    """Give the HTTP function as it is registered; an app of its own, since one lists its functions only once."""
    app = func.FunctionApp()
    app.register_functions(api.blueprint)
    (found,) = registrations(app, {})
    return found


@pytest.fixture(autouse=True)
def statements(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Give the process a desk on an empty folder, and the list of what its reader asks SQLite from then on."""
    for name in ("ALPACA_API_KEY", "ALPACA_SECRET_KEY", "FINAGENT_SYMBOLS", "FINAGENT_START", "FINAGENT_SPEED"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("FINAGENT_DATA", str(tmp_path))
    desk.cache_clear()
    seen: list[str] = []
    _store()._database._reader.set_trace_callback(seen.append)
    yield seen
    asyncio.run(desk().close())
    desk.cache_clear()


def _store() -> SqliteEventStore:
    store = desk().store
    assert isinstance(store, SqliteEventStore)
    return store


async def _poll(function: Registered, query: str) -> list[str]:
    address = f"http://localhost/api/events?after=latest&wait=20&{query}"
    request = func.HttpRequest(method="GET", url=address, headers={}, route_params={"path": "api/events"}, body=b"")
    answer = await function.invoke(request, "invocation-1")
    return [event["id"] for event in json.loads(answer.get_body())["events"]]


@asynccontextmanager
async def _polling(function: Registered, queries: list[str]) -> AsyncIterator[list["asyncio.Task[list[str]]"]]:
    """Poll with each query, begin when all wait, and give up those that still wait at the end."""
    polls = [asyncio.create_task(_poll(function, query)) for query in queries]
    for _ in range(10):
        await asyncio.sleep(0)
    assert sum(map(len, _store()._waiting.values())) == len(polls)
    yield polls
    for poll in polls:
        poll.cancel()
    await asyncio.gather(*polls, return_exceptions=True)


async def test_long_polls_when_one_event_is_wanted_by_all_ask_the_store_once(
    function: Registered, statements: list[str]
) -> None:
    async with _polling(function, ["stream=portfolio-crowd"] * CROWD) as polls:
        statements.clear()
        event = a_portfolio("crowd")
        await desk().runtime.emit([event])
        assert await asyncio.gather(*polls) == [[event.id]] * CROWD
    pages = [statement for statement in statements if "FROM events" in statement and "ORDER BY position" in statement]
    assert len(pages) == 1


async def test_long_polls_when_an_event_is_not_wanted_sleep_on(function: Registered, statements: list[str]) -> None:
    queries = [f"stream=portfolio-{number}" for number in range(CROWD)] + ["types=trade.requested", "correlation=c"]
    async with _polling(function, queries) as polls:
        statements.clear()
        await desk().runtime.emit([a_headline()])
        await asyncio.sleep(0.05)
        assert statements == []
        event = a_portfolio("7")
        await desk().runtime.emit([event])
        assert await polls[7] == [event.id]
        assert [poll for poll in polls if poll.done()] == [polls[7]]


async def test_long_poll_when_what_came_meanwhile_was_not_wanted_goes_on_after_it(function: Registered) -> None:
    async with _polling(function, ["stream=portfolio-late"]) as (poll,):
        for number in range(5):
            await desk().runtime.emit([a_headline(f"Headline {number}")])
        event = a_portfolio("late")
        await desk().runtime.emit([event])
        assert await poll == [event.id]


async def test_long_poll_when_it_is_given_up_is_forgotten(function: Registered) -> None:
    async with _polling(function, ["stream=portfolio-gone", "stream=portfolio-gone", "types=news.received"]):
        pass
    assert _store()._waiting == {}
