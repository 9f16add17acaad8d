"""The vital signs: a desk whose votes would come too late says so, whatever else is well; and timers that stopped."""

from dataclasses import replace
from datetime import timedelta

import pytest

from shared.bus.port import message_for
from shared.bus.topology import topology
from shared.errors import TransientError
from shared.ingest import Status
from shared.telemetry.none import OFF
from shared.telemetry.port import Telemetry
from shared.vitals import COST_SECONDS, LATE_SECONDS, PROOF_SECONDS, SWEEP, Vitals
from tests.builders import CLOSE, a_deadline, a_trade_request
from tests.standins.desk import MemoryDesk, an_agent_desk
from tests.unit.telemetry_bench import Watched

PATIENCE_SECONDS = 30
VOTERS = frozenset({"events/consensus", "events/market-analyst", "events/risk-manager"})
REQUEST = a_trade_request()


@pytest.fixture
def desk(monkeypatch: pytest.MonkeyPatch) -> MemoryDesk:
    """Give a desk on whose wall a clock hangs that the test moves with the desk's."""
    made = an_agent_desk(topology())

    def wall_seconds() -> float:
        return CLOSE.timestamp() + (made.clock.now() - CLOSE).total_seconds() / made.clock.pace

    monkeypatch.setattr(made.bus, "_wall_seconds", wall_seconds)
    return made


def vitals_of(desk: MemoryDesk, telemetry: Telemetry = OFF, **timers: Status) -> Vitals:
    """Give vital signs that are read anew each time."""
    return Vitals(desk.store, desk.bus, desk.clock, VOTERS, PATIENCE_SECONDS, timers, telemetry, lambda: some(0.0))


async def some(money: float) -> float:
    """Give what was spent."""
    return money


async def taken(desk: MemoryDesk, *subscriptions: str) -> None:
    for subscription in subscriptions:
        while delivery := await desk.take(subscription):
            await desk.bus.complete(delivery)


async def test_desk_when_nothing_waits_is_ready(desk: MemoryDesk) -> None:
    signs = await vitals_of(desk).signs()
    assert (signs.status, signs.waits) == ("ready", {})


async def test_desk_when_its_history_is_still_being_read_is_not_ready_yet(desk: MemoryDesk) -> None:
    seen = await vitals_of(desk, market=Status(is_opening=True), news=Status()).signs()
    assert (seen.status, seen.problems) == ("unavailable", ("market: what happened before is still being read",))
    assert (await vitals_of(desk, market=Status(problem="the key is wrong")).signs()).status == "ready"


async def test_desk_when_its_agents_still_take_in_the_past_is_not_ready_yet(desk: MemoryDesk) -> None:
    vitals = vitals_of(desk, market=Status())
    vitals.is_catching_up = True
    seen = await vitals.signs()
    assert (seen.status, seen.problems) == ("unavailable", ("agents: what happened before is still being taken in",))
    vitals.is_catching_up = False
    assert (await vitals.signs()).status == "ready"


@pytest.mark.parametrize(("seconds", "status"), [(30, "ready"), (31, "overloaded")])
async def test_desk_when_the_oldest_message_is_older_than_the_deadline_is_overloaded(
    desk: MemoryDesk, seconds: int, status: str
) -> None:
    await desk.runtime.emit([REQUEST])
    desk.clock.advance(timedelta(seconds=seconds))
    await desk.runtime.emit([a_trade_request(id="newer")])
    signs = await vitals_of(desk).signs()
    assert signs.status == status
    assert signs.waits["events/risk-manager"] == seconds


async def test_desk_when_only_nobodys_vote_waits_is_ready(desk: MemoryDesk) -> None:
    await desk.runtime.emit([REQUEST])
    await taken(desk, *VOTERS)
    desk.clock.advance(timedelta(hours=1))
    signs = await vitals_of(desk).signs()
    assert signs.status == "ready"
    assert signs.waits["events/sentiment-tracker"] == 3_600


async def test_desk_when_it_is_fast_counts_wall_seconds(desk: MemoryDesk) -> None:
    await desk.runtime.emit([REQUEST])
    desk.clock.pace = 86_400.0
    desk.clock.advance(timedelta(days=29))
    assert (await vitals_of(desk).signs()).waits["events/consensus"] == 29


async def test_message_when_it_is_scheduled_is_as_old_as_it_is_due(desk: MemoryDesk) -> None:
    await taken(desk, "events/consensus")
    due = desk.clock.now() + timedelta(hours=1)
    await desk.bus.publish([message_for(a_deadline(REQUEST), deliver_at=due)])
    desk.clock.advance(timedelta(seconds=3_599))
    assert (await desk.bus.waits()).get("events/consensus") is None
    desk.clock.advance(timedelta(seconds=6))
    assert (await desk.bus.waits())["events/consensus"] == 5


async def test_message_when_it_is_being_handled_counts_as_waiting(desk: MemoryDesk) -> None:
    await desk.runtime.emit([REQUEST])
    held = await desk.take("events/consensus")
    assert held is not None
    desk.clock.advance(timedelta(seconds=7))
    assert (await desk.bus.waits())["events/consensus"] == 7
    await desk.bus.complete(held)
    assert "events/consensus" not in await desk.bus.waits()


async def test_overload_when_many_ask_is_found_out_once_a_second(
    desk: MemoryDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked = 0

    async def waits() -> dict[str, float]:
        nonlocal looked
        looked += 1
        return {"events/consensus": 1_000.0}

    monkeypatch.setattr(desk.bus, "waits", waits)
    vitals, now = vitals_of(desk), 0.0
    monkeypatch.setattr("asyncio.get_running_loop", lambda: type("Loop", (), {"time": lambda _: now})())
    for _ in range(100):
        assert "events/consensus 1000 s" in (await vitals.overload() or "")
    assert looked == 1
    now = PROOF_SECONDS
    await vitals.overload()
    assert looked == 2


async def test_bus_when_it_is_away_is_a_problem_and_no_overload(
    desk: MemoryDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away() -> dict[str, int]:
        raise TransientError("no connection")

    monkeypatch.setattr(desk.bus, "backlog", away)
    signs = await vitals_of(desk).signs()
    assert (signs.status, signs.problems) == ("unavailable", ("bus: no connection",))


async def test_store_when_it_is_away_is_a_problem_beside_the_bus_and_by_itself(
    desk: MemoryDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def full() -> None:
        raise TransientError("the disk is full")

    async def away() -> dict[str, int]:
        raise TransientError("no connection")

    monkeypatch.setattr(desk.store, "check", full)
    signs = await vitals_of(desk).signs()
    assert (signs.status, signs.problems) == ("unavailable", ("store: the disk is full",))
    monkeypatch.setattr(desk.bus, "backlog", away)
    assert (await vitals_of(desk).signs()).problems == ("store: the disk is full", "bus: no connection")


@pytest.mark.parametrize("has_worked", [True, False])
async def test_sweep_when_it_stopped_is_late_until_it_works(desk: MemoryDesk, has_worked: bool) -> None:
    begun = desk.clock.now()
    status = Status(begun_at=begun, succeeded_at=begun if has_worked else None)
    vitals = vitals_of(desk, sweep=status)
    desk.clock.advance(timedelta(seconds=LATE_SECONDS))
    assert vitals.ticks()[SWEEP].problem is None
    desk.clock.advance(timedelta(seconds=1))
    assert vitals.ticks()[SWEEP].problem == "late: none in 181 s"
    status.succeeded_at = desk.clock.now()
    assert vitals.ticks()[SWEEP].problem is None


async def test_timer_when_another_one_is_rare_is_not_called_late(desk: MemoryDesk) -> None:
    vitals = vitals_of(desk, market=Status(succeeded_at=desk.clock.now()))
    desk.clock.advance(timedelta(days=3))
    assert vitals.ticks()["market"].problem is None


async def test_numbers_when_they_are_measured_are_those_of_the_desk(desk: MemoryDesk) -> None:
    telemetry = Watched()
    await desk.runtime.emit([REQUEST])
    held = await desk.take("events/risk-manager")
    while held is not None:
        await desk.bus.abandon(held, "broken")
        held = await desk.take("events/risk-manager")
    desk.clock.advance(timedelta(seconds=9))
    vitals = vitals_of(desk, telemetry, market=Status(succeeded_at=desk.clock.now() - timedelta(seconds=4)))
    await vitals.measure()
    assert telemetry.values("finagent.dead_letters")["events/risk-manager",] == 1
    assert telemetry.values("finagent.dead_letters")["events/consensus",] == 0
    assert telemetry.values("finagent.backlog")["events/consensus",] == 1
    assert telemetry.values("finagent.backlog")["events/risk-manager",] == 0
    assert telemetry.values("finagent.backlog.age")["events/consensus",] == 9
    assert telemetry.values("finagent.tick.lateness") == {("market",): 4}
    await taken(desk, *VOTERS)
    vitals._waits_until = 0.0
    await vitals.measure()
    assert telemetry.values("finagent.backlog.age")["events/consensus",] == 0


async def test_cost_when_it_is_measured_is_added_up_every_ten_minutes(
    desk: MemoryDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    telemetry, vitals = Watched(), vitals_of(desk)
    vitals.telemetry = telemetry
    for later, spent, told in ((0, 0.25, 0.25), (COST_SECONDS - 1, 0.5, 0.25), (COST_SECONDS, 0.75, 0.75)):
        loop = type("Loop", (), {"time": lambda _, now=100.0 + later: now})()
        monkeypatch.setattr("asyncio.get_running_loop", lambda loop=loop: loop)
        vitals.spent = lambda spent=spent: some(spent)  # type: ignore[misc]
        await vitals.measure()
        assert telemetry.values("finagent.cost.hourly") == {(): told}


async def test_cost_when_the_ledger_cannot_be_read_is_asked_for_again(desk: MemoryDesk) -> None:
    async def failing() -> float:
        raise TransientError("busy")

    telemetry = Watched()
    vitals = replace(vitals_of(desk, telemetry), spent=failing)
    await vitals.measure()
    assert telemetry.values("finagent.cost.hourly") == {}
    vitals.spent = lambda: some(0.5)
    await vitals.measure()
    assert telemetry.values("finagent.cost.hourly") == {(): 0.5}
