"""Every timer function, invoked by Microsoft's worker with ticks as the host shapes them."""

from collections.abc import Callable

import pytest

from shared.bus.port import message_for
from shared.bus.topology import topology
from shared.wiring import Desk
from tests.builders import DAY, a_bar, a_trade_request, an_opinion, market_data
from tests.functions.case import log
from tests.functions.conftest import Invoke
from tests.functions.host_message import timer
from tests.functions.worker import Indexed

type Functions = dict[str, Indexed]

CASES = {
    "ingest_market": ("market", {"market.data.received"}),
    "ingest_news": ("news", {"news.received"}),
    "ingest_positions": ("positions", set[str]()),
}
"""The tick that each timer function is, and what it puts into an empty desk's log; a recording holds no positions."""


def test_every_timer_function_has_a_case(functions: Functions) -> None:
    assert {name for name, function in functions.items() if function.trigger["type"] == "timerTrigger"} == {
        *CASES,
        "grading",
        "sweep",
    }


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("past_due", [True, False])
async def test_timer_function_when_it_ticks_emits_once(
    functions: Functions, invoke: Invoke, opened: Callable[[], Desk], name: str, past_due: bool
) -> None:
    for monitored in (True, False):
        outcome = await invoke(functions[name], timer(past_due=past_due, monitored=monitored), {})
        assert (outcome.problem, outcome.returned) == ("", None)
    tick, types = CASES[name]
    assert set(opened().ingest.status) == {tick}
    assert opened().ingest.status[tick].succeeded_at is not None
    happened = await log(opened())
    assert {event.type for event in happened} == types
    assert len({event.id for event in happened}) == len(happened)


async def test_grading_when_it_ticks_grades_what_is_due_once(
    functions: Functions, invoke: Invoke, opened: Callable[[], Desk]
) -> None:
    asked = opened().clock.now() - 30 * DAY
    trade = a_trade_request(time=asked)
    bars = [market_data(a_bar(closed_at=asked + day * DAY, close=100.0 + day)) for day in range(-1, 8)]
    for event in bars:
        await opened().projector.project(event)
    await opened().store.append([trade, an_opinion(trade, agent="market_analyst", time=asked)])
    for past_due in (True, False):
        assert (await invoke(functions["grading"], timer(past_due=past_due), {})).problem == ""
    [grade] = await log(opened(), "opinion.graded")
    assert grade.data.hit


async def test_sweep_when_it_ticks_tells_of_a_dead_letter_once(
    functions: Functions, invoke: Invoke, opened: Callable[[], Desk]
) -> None:
    bus = opened().bus
    await bus.publish([message_for(a_trade_request())])
    for _ in range(topology().max_delivery_count):
        await bus.abandon(await bus.receive("events/risk-manager"), "it raised")
    for past_due in (True, False):
        assert (await invoke(functions["sweep"], timer(past_due=past_due), {})).problem == ""
    assert len(await log(opened(), "step.failed")) == 1


async def test_timer_function_when_its_desk_cannot_be_built_fails(
    functions: Functions, invoke: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FINAGENT_SPEED", "fast")
    outcome = await invoke(functions["ingest_market"], timer(past_due=False), {})
    assert "FINAGENT_SPEED" in outcome.problem
