"""Grading: once the horizon is over an opinion is graded, once, by what its trade earned; weights follow the record."""

from collections.abc import Sequence
from datetime import timedelta

import pytest

from shared.agents import market_analyst
from shared.agents.consensus import weigh
from shared.agents.opinion import Judgment
from shared.agents.step import CONSENSUS, Rounds, Step, StepDeps
from shared.bus.topology import topology
from shared.clock import ManualClock
from shared.errors import ConflictError
from shared.events.catalogue import decode
from shared.events.envelope import Event
from shared.events.trade import (
    AgentRecord,
    ConsensusReached,
    Evidence,
    Grade,
    OpinionFormed,
    OpinionGraded,
    Outcomes,
    TradeDeadlineReached,
    TradeRequested,
)
from shared.grading import DUE_AFTER, HORIZON_DAYS, PAGE, Grading
from shared.projections import record
from shared.projections.bar import BarHistory
from shared.projections.in_memory import InMemoryProjectionStore
from shared.projections.projector import Projector
from shared.projections.record import Records
from shared.projections.view import Views
from shared.runtime import Runtime
from shared.settlement.stepwise import StepwiseSettlement
from shared.store.in_memory import InMemoryEventStore
from shared.store.port import Commit, Filter
from tests.builders import CLOSE, DAY, a_bar, a_trade_request, an_opinion, market_data
from tests.standins.desk import Faults, FaultyEventBus

ANALYST = market_analyst.NAME
HORIZON = timedelta(days=HORIZON_DAYS)


class Desk:
    """A log, prices and a clock, and the grading of its opinions as a process that has just begun does it."""

    def __init__(self) -> None:
        self.store, self.projections, self.clock = InMemoryEventStore(), InMemoryProjectionStore(), ManualClock(CLOSE)
        bus = FaultyEventBus(topology(), self.clock, Faults(), lambda: 0.0)
        self.runtime = Runtime(self.store, bus, StepwiseSettlement(self.store, bus), self.clock, {})
        self.projector = Projector(self.projections, self.store)

    async def know(self, closes: Sequence[tuple[float, float]], symbol: str = "AAPL") -> None:
        for day, close in closes:
            await self.projector.project(market_data(a_bar(symbol, close=close, closed_at=CLOSE + day * DAY)))

    async def say(self, *events: Event) -> None:
        await self.store.append(events)

    async def tick(self) -> int:
        bars, views = BarHistory(self.projections, "1Day"), Views(self.projections)
        return await Grading(self.store, self.clock, self.runtime, bars, views).tick()

    async def later(self, after: timedelta) -> int:
        self.clock.advance(after)
        return await self.tick()

    async def graded(self) -> list[OpinionGraded]:
        bodies = (await self.store.page(Filter(types=(OpinionGraded.name(),)), "", 1_000)).events
        return [event for event in map(decode, bodies) if isinstance(event, OpinionGraded)]


def voted(trade: TradeRequested, agent: str = ANALYST, stance: float = 0.5, confidence: float = 0.4) -> OpinionFormed:
    return an_opinion(trade, agent=agent, stance=stance, confidence=confidence, time=trade.time)


@pytest.mark.parametrize(
    ("side", "stance", "earned", "hit", "brier"),
    [("buy", 0.5, 0.1, True, 0.16), ("buy", -0.5, 0.1, False, 0.36), ("sell", 0.5, -0.1, False, 0.36)],
)
async def test_opinion_when_its_horizon_is_over_is_graded_by_what_the_trade_earned(
    side: str, stance: float, earned: float, hit: bool, brier: float
) -> None:
    desk, trade = Desk(), a_trade_request(side=side)  # type: ignore[arg-type]
    opinion = voted(trade, stance=stance)
    await desk.know([(-1, 90), (0, 100), (3, 105), (7, 110), (8, 500)])
    await desk.say(trade, opinion)
    assert await desk.later(DUE_AFTER - timedelta(seconds=1)) == 0
    assert await desk.later(timedelta(seconds=1)) == 1
    [grade] = await desk.graded()
    assert (grade.causationid, grade.correlationid, grade.stream) == (opinion.id, trade.id, opinion.stream)
    assert grade.time == opinion.time + DUE_AFTER
    assert grade.data.trade_return == pytest.approx(earned)
    assert grade.data.hit == hit
    assert grade.data.brier == pytest.approx(brier)
    assert grade.data.record.overall.mean_return == pytest.approx(stance * earned)
    assert await desk.later(DUE_AFTER) == 0
    assert len(await desk.graded()) == 1


async def test_opinion_when_a_split_came_in_between_is_graded_on_one_scale() -> None:
    desk, trade = Desk(), a_trade_request()
    await desk.know([(0, 100)])
    restated = market_data(a_bar("AAPL", close=50, closed_at=CLOSE), time=CLOSE + DAY)
    await desk.projector.project(restated)
    await desk.know([(7, 55)])
    await desk.say(trade, voted(trade))
    assert await desk.later(DUE_AFTER) == 1
    assert (await desk.graded())[0].data.trade_return == pytest.approx(0.1)


@pytest.mark.parametrize(
    ("agent", "abstained", "closes"),
    [
        ("risk_manager", None, [(0, 100), (7, 110)]),
        (ANALYST, "too little is known", [(0, 100), (7, 110)]),
        (ANALYST, None, [(0, 100)]),
        (ANALYST, None, [(3, 100), (7, 110)]),
        (ANALYST, None, [(0, 100), (7.5, 110)]),
    ],
    ids=["of risk", "an abstention", "no bar after", "no bar before", "the next bar too late"],
)
async def test_opinion_when_there_is_nothing_to_grade_it_by_is_left(
    agent: str, abstained: str | None, closes: list[tuple[float, float]]
) -> None:
    desk, trade = Desk(), a_trade_request()
    await desk.know(closes)
    await desk.say(trade, an_opinion(trade, agent=agent, time=trade.time, abstained=abstained))
    assert await desk.later(DUE_AFTER) == 0
    later = a_trade_request(time=desk.clock.now())
    await desk.say(later, voted(later))
    await desk.know([(8, 100), (15, 101)])
    assert await desk.later(DUE_AFTER) == 1


async def test_record_when_grades_follow_counts_them_overall_and_by_regime() -> None:
    desk = Desk()
    await desk.know([(day, 100 + day) for day in range(20)])
    trades = [a_trade_request(time=CLOSE + day * DAY) for day in range(3)]
    await desk.say(
        *(event for trade in trades for event in (trade, voted(trade), voted(trade, "sentiment_tracker", -1)))
    )
    assert await desk.later(DUE_AFTER + 3 * DAY) == 6
    book = await Records(desk.projections).all((ANALYST, "sentiment_tracker", "nobody"), desk.clock.now())
    assert book == {}
    for grade in await desk.graded():
        await desk.projector.project(grade)
    book = await Records(desk.projections).all((ANALYST, "sentiment_tracker", "nobody"), desk.clock.now())
    assert {name: (each.overall.count, each.overall.hits) for name, each in book.items()} == {
        ANALYST: (3, 3),
        "sentiment_tracker": (3, 0),
    }
    assert (await Records(desk.projections).all((ANALYST,), CLOSE + DUE_AFTER))[ANALYST].overall.count == 1
    assert await Records(desk.projections).all((ANALYST,), CLOSE + DUE_AFTER - DAY) == {}


def graded(agent: str, known: AgentRecord, *, ordinal: int = 0) -> OpinionGraded:
    """Give the event of a grade after which an agent has this record."""
    data = Grade(
        opinion="o",
        agent=agent,
        symbol="AAPL",
        side="buy",
        stance=1,
        confidence=1,
        horizon_days=7,
        trade_return=0,
        hit=False,
        brier=1,
        record=known,
    )
    return OpinionGraded.caused_by(a_trade_request(), source="grading", data=data, ordinal=ordinal)


async def test_record_when_grades_of_one_moment_come_in_any_order_is_the_last_one() -> None:
    store = InMemoryProjectionStore()
    for count in (9, 10, 2):
        await store.apply(record.rows(graded(ANALYST, AgentRecord(overall=Outcomes(count=count)), ordinal=count)))
    latest = await Records(store).latest(ANALYST, CLOSE)
    assert latest is not None
    assert latest.overall.count == 10


async def test_opinions_when_more_than_a_page_is_due_are_all_graded_in_one_tick() -> None:
    desk = Desk()
    await desk.know([(0, 100), (7, 101)])
    trades = [a_trade_request(quantity=number) for number in range(1, PAGE + 20)]
    await desk.say(*(event for trade in trades for event in (trade, voted(trade))))
    assert await desk.later(DUE_AFTER) == len(trades)
    assert len({grade.data.opinion for grade in await desk.graded()}) == len(trades)


async def test_opinion_when_a_later_one_is_due_before_it_is_still_graded_in_time() -> None:
    desk = Desk()
    await desk.know([(0, 100), (5, 101), (7, 102), (12, 103)])
    young, old = a_trade_request(time=CLOSE + 5 * DAY), a_trade_request()
    await desk.say(young, voted(young), old, voted(old))
    assert await desk.later(DUE_AFTER) == 1
    assert await desk.later(5 * DAY) == 1
    assert len(await desk.graded()) == 2


async def test_tick_when_it_dies_after_telling_says_the_same_again() -> None:
    desk, trade = Desk(), a_trade_request()
    await desk.know([(0, 100), (7, 110)])
    await desk.say(trade, voted(trade))
    committed = desk.store.commit

    async def dies(commit: Commit) -> None:
        raise RuntimeError("the process dies here")

    desk.store.commit = dies  # type: ignore[method-assign]
    with pytest.raises(RuntimeError):
        await desk.later(DUE_AFTER)
    desk.store.commit = committed  # type: ignore[method-assign]
    before = await desk.graded()
    assert await desk.tick() == 1
    assert await desk.graded() == before
    assert before[0].data.record.overall.count == 1


async def test_tick_when_another_host_was_first_leaves_it_at_that() -> None:
    desk, trade = Desk(), a_trade_request()
    await desk.know([(0, 100), (7, 110)])
    await desk.say(trade, voted(trade))

    async def beaten(commit: Commit) -> None:
        raise ConflictError("another host committed")

    desk.store.commit = beaten  # type: ignore[method-assign]
    assert await desk.later(DUE_AFTER) == 0


async def never(_event: object, _deps: object) -> Judgment:
    raise AssertionError("nobody is asked")


STEP = Step(
    name="trade",
    trigger=TradeRequested,
    deadline=TradeDeadlineReached,
    judges={ANALYST: never, "risk_manager": never},
    aggregate=weigh,
    quorum=2,
    graded=(ANALYST,),
)


async def weights(records: dict[str, AgentRecord], *, regime: str = "") -> dict[str, float]:
    """Give the weights by which a consensus counted two votes, where these records are known."""
    store, trade = InMemoryProjectionStore(), a_trade_request()
    for agent, known in records.items():
        await store.apply(record.rows(graded(agent, known)))
    state, deps = Rounds(), StepDeps(1, 30, Records(store))
    evidence = (Evidence(name="regime", value=regime),) if regime else ()
    for agent in (ANALYST, "risk_manager"):
        opinion = voted(trade, agent)
        opinion = opinion.model_copy(update={"data": opinion.data.model_copy(update={"evidence": evidence})})
        decision = await STEP.on_opinion(opinion, state, deps)
        state = decision.state or state
    [emit] = decision.emits
    assert isinstance(emit.event, ConsensusReached)
    assert emit.event.source == CONSENSUS
    return {vote.agent: vote.weight for vote in emit.event.data.votes}


GOOD, POOR = Outcomes(count=50, hits=40, brier=0.225), Outcomes(count=50, hits=10, brier=0.275)


async def test_weights_when_nothing_is_known_are_equal() -> None:
    assert await weights({}) == {ANALYST: 1, "risk_manager": 1}


async def test_weights_when_a_record_is_known_follow_it_for_those_who_are_graded() -> None:
    book = {ANALYST: AgentRecord(overall=GOOD), "risk_manager": AgentRecord(overall=GOOD)}
    assert await weights(book) == {ANALYST: pytest.approx(2.71828**0.5, rel=1e-5), "risk_manager": 1}


async def test_weights_when_a_regime_is_known_are_those_of_it() -> None:
    book = {ANALYST: AgentRecord(overall=GOOD, regimes={"range": POOR})}
    assert (await weights(book, regime="trend"))[ANALYST] == pytest.approx(2.71828**0.5, rel=1e-5)
    assert (await weights(book, regime="range"))[ANALYST] == pytest.approx(2.71828**-0.25, rel=1e-5)
