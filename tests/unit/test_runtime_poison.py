"""Messages that nobody can digest, on a real embedded desk in this process: kept with a reason, never in the way."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import azure.functions as func
import pytest

from functions.received import received
from local.pump import Pump
from local.registration import Registered
from shared.agents.registry import STATES, TRADE, handlers
from shared.bus.port import Message, message_for
from shared.bus.topology import topology
from shared.events.catalogue import decode
from shared.events.envelope import Event, derive_id
from shared.events.step import StepFailed
from shared.events.trade import ConsensusReached, TradeRequested
from shared.runtime import Received
from shared.settings import Settings
from shared.store.port import Filter
from shared.wiring import Desk, build
from tests.builders import a_headline, a_trade_request
from tests.examples import FULL
from tests.standins.desk import an_agent_desk
from tests.unit.pump_bench import OPTIONS

VOTERS = (*TRADE.judges, "consensus")
"""Who wants a trade request."""

type Call = Callable[[func.ServiceBusMessage], Any]


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    settings = {"FINAGENT_DATA": str(tmp_path), "FINAGENT_SPEED": "3600", "FINAGENT_DEADLINE_SECONDS": "6"}
    built = build(Settings.from_env(settings))
    yield built
    await built.close()


@asynccontextmanager
async def pumping(desk: Desk, timeout_seconds: float = 60, **instead: Call) -> AsyncIterator[None]:
    """Pump messages into the agents; `instead` names agents that another function stands in for."""
    options, lock_seconds = replace(OPTIONS, function_timeout_seconds=timeout_seconds), 60.0
    async with AsyncExitStack() as stack:
        for agent in VOTERS:
            trigger = {"topicName": "events", "subscriptionName": agent.replace("_", "-")}
            call = instead.get(agent) or _handling(desk, agent)
            function = Registered(agent, trigger, "message", call, wants_context=False)
            await stack.enter_async_context(_running(Pump(function, desk.bus, options, lock_seconds)))
        yield


@asynccontextmanager
async def _running(pump: Pump) -> AsyncIterator[None]:
    task = asyncio.create_task(pump.run())
    yield
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
    await pump.drain()


def _handling(desk: Desk, agent: str) -> Call:
    async def handle(message: func.ServiceBusMessage) -> None:
        await desk.runtime.handle(received(message), agent)

    return handle


async def _idle(desk: Desk) -> None:
    async with asyncio.timeout(120):
        while await _waiting(desk):  # noqa: ASYNC110 - a bus does not tell when it is empty
            await asyncio.sleep(0.02)


async def _waiting(desk: Desk) -> int:
    """Give how many messages wait for who wants a trade request; nobody takes those of others."""
    backlog = await desk.bus.backlog()
    return sum(backlog[f"events/{agent.replace('_', '-')}"] for agent in VOTERS)


async def _ask(desk: Desk, number: int, symbol: str = "AAPL") -> TradeRequested:
    request = a_trade_request(symbol, id=f"trade-{symbol}-{number}", time=desk.clock.now())
    await desk.runtime.emit([request])
    return request


async def _events(desk: Desk, kind: str) -> list[Any]:
    return [decode(body) for body in (await desk.store.page(Filter(types=(kind,)), "", 1_000)).events]


async def _decided(desk: Desk, *requests: TradeRequested) -> dict[str, ConsensusReached]:
    """Wait for the consensus on each."""
    async with asyncio.timeout(120):
        while True:
            events = {event.data.trigger: event for event in await _events(desk, "consensus.reached")}
            if events.keys() >= {request.id for request in requests}:
                return events
            await asyncio.sleep(0.02)


def changed(event: Event, path: Sequence[str | int], value: object) -> bytes:
    """Give an event's JSON with one value replaced, or added where there is none, and an id of its own."""
    document = json.loads(event.json_bytes) | {"id": derive_id(event.type, repr(path), repr(value))}
    place = document
    for part in path[:-1]:
        place = place[part]
    place[path[-1]] = value
    return json.dumps(document).encode()


def _with(path: str, value: object) -> bytes:
    """Give a trade request's JSON with one value replaced, or added where there is none."""
    return changed(a_trade_request(), path.split("."), value)


BAD: dict[str, tuple[bytes, str]] = {
    "not JSON": (b"{", "not JSON"),
    "empty": (b"", "not JSON"),
    "an array": (b"[]", "an event is a JSON object"),
    "not UTF-8": (_with("source", "s").replace(b'"s"', b'"\xff\xfe"'), "not JSON"),
    "half of a surrogate": (_with("source", "\ud800"), "not JSON"),
    "nested deeply": (_with("data", 0).replace(b'"data": 0', b'"data": ' + b"[" * 200_000), "not JSON"),
    "nested deeply and closed": (_with("data", json.loads("[" * 900 + "]" * 900)), "not JSON"),
    "huge": (_with("source", "x" * 4_000_000), "source"),
    "wrong type": (_with("data.quantity", {"many": 1}), "data.quantity"),
    "unknown field": (_with("data.colour", "red"), "data.colour"),
    "unknown attribute": (_with("colour", "red"), "colour"),
    "unknown type": (_with("type", "trade.dreamt"), "type"),
    "another's type": (a_headline().json_bytes, "type"),
    "newer schema": (_with("dataschemaversion", 2), "dataschemaversion"),
    "older schema": (_with("dataschemaversion", 0), "dataschemaversion"),
    "NaN": (_with("data.quantity", float("nan")), "data.quantity"),
    "infinity": (_with("data.quantity", float("inf")), "data.quantity"),
    "too large a number": (_with("data.quantity", 10**400), "data.quantity"),
    "no zone": (_with("time", "2008-09-15T12:00:00"), "time"),
    "no such day": (_with("time", "2008-02-31T12:00:00Z"), "time"),
    "the last moment": (_with("time", "9999-12-31T23:59:59Z"), "time"),
    "the first moment": (_with("time", "0001-01-01T00:00:00Z"), "time"),
    "before the first moment": (_with("time", "0001-01-01T00:00:00+14:00"), "time"),
    "a number for a time": (_with("time", 1e300), "time"),
}


async def test_messages_when_they_are_malformed_are_kept_with_reason_and_payload_and_delay_nobody(desk: Desk) -> None:
    requests = []
    async with pumping(desk):
        for number, (body, _) in enumerate(BAD.values()):
            await desk.bus.publish([Message(f"bad-{number}:0", "events", "trade.requested", body, "bad")])
            requests.append(await _ask(desk, number))
        decided = await _decided(desk, *requests)
        await _idle(desk)
    assert {decided[request.id].data.closed_by for request in requests} == {"quorum"}
    failed: list[StepFailed] = await _events(desk, "step.failed")
    kept = {(event.data.message_id, event.data.agent): event.data for event in failed}
    assert await desk.bus.dead_letters() == []
    read = [name for number, name in enumerate(BAD) if any((f"bad-{number}:0", agent) not in kept for agent in VOTERS)]
    assert read == [], "no failure for these"
    assert len(failed) == len(kept) == len(BAD) * len(VOTERS)
    for number, (name, (body, reason)) in enumerate(BAD.items()):
        for agent in VOTERS:
            failure = kept[f"bad-{number}:0", agent]
            payload = failure.payload.encode()
            assert (base64.b64decode(payload) if failure.encoding == "base64" else payload) == body, name
            assert reason in failure.reason, name


@pytest.mark.parametrize("name", ["raises", "hangs"])
async def test_poison_when_it_fails_each_time_ends_in_the_dead_letters_and_delays_nobody(desk: Desk, name: str) -> None:
    handle = _handling(desk, "market_analyst")

    async def analyst(message: func.ServiceBusMessage) -> None:
        if b'"IBM"' in message.get_body():
            await (asyncio.Event().wait() if name == "hangs" else _divide())
        await handle(message)

    async with pumping(desk, timeout_seconds=0.4, market_analyst=analyst):
        poison = await _ask(desk, 0, "IBM")
        requests = [await _ask(desk, number) for number in range(20)]
        decided = await _decided(desk, poison, *requests)
        await _idle(desk)
    (letter,) = await desk.bus.dead_letters()
    assert letter.message == message_for(poison)
    assert (letter.subscription, letter.delivery_count) == ("events/market-analyst", 10)
    assert letter.reason.startswith("TimeoutError" if name == "hangs" else "ZeroDivisionError")
    assert decided[poison.id].data.closed_by == "deadline"
    assert decided[poison.id].data.missing == ("market_analyst",)
    assert {decided[request.id].data.closed_by for request in requests} == {"quorum"}
    assert {len(decided[request.id].data.votes) for request in requests} == {len(TRADE.judges)}


async def _divide() -> None:
    raise ZeroDivisionError("a bug")


ODD: tuple[object, ...] = (
    None,
    True,
    0,
    -1,
    0.5,
    -0.0,
    1e-320,
    1e308,
    10**30,
    "",
    "0",
    "A" * 100,
    "\x00",
    "NaN",
    [],
    [[]],
    {},
    {"a": 1},
    "9999-12-31T23:59:59Z",
    "0001-01-01T00:00:00Z",
    "1900-01-01T00:00:00Z",
)


def places(value: object, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Give the path to everything in a JSON document."""
    parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, part in parts:
        yield (*path, name)
        yield from places(part, (*path, name))


HANDLED = [(agent, event) for agent in STATES for event in FULL if type(event) in handlers(agent)]


@pytest.mark.parametrize(("agent", "event"), HANDLED, ids=lambda each: each if isinstance(each, str) else each.type)
async def test_event_when_anything_in_it_is_odd_is_handled_or_kept_and_never_raises(agent: str, event: Event) -> None:
    desk = an_agent_desk(topology())
    for path in places(json.loads(event.json_bytes)):
        for odd in ODD:
            if path == ("id",):
                continue
            message_id = f"{derive_id(repr(path), repr(odd))}:0"
            try:
                await desk.runtime.handle(Received(message_id, event.type, changed(event, path, odd)), agent)
            except Exception as error:
                raise AssertionError(f"{'.'.join(map(str, path))} = {odd!r:.50}") from error
    assert "step.failed" in {event.type for event in await desk.log()}
