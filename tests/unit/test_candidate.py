"""A candidate: it sees what its agent sees, is graded as its agent is, and counts only when it is promoted."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from shared.agents import market_analyst, registry
from shared.agents.candidate import Candidate
from shared.agents.decision import Decision, Handler
from shared.agents.market_analyst import AnalystDeps
from shared.agents.opinion import Judgment
from shared.agents.own_state import OwnState
from shared.agents.registry import CANDIDATES, TRADE, promoted
from shared.agents.step import CONSENSUS
from shared.bus.port import message_for
from shared.bus.topology import topology
from shared.callers.caller import LOCAL
from shared.errors import InvalidError, MissingError, TransientError
from shared.events.catalogue import decode
from shared.events.emit import Emit
from shared.events.envelope import Event
from shared.events.market import MarketDataReceived
from shared.events.trade import TradeRequested
from shared.grading import DUE_AFTER, Grading
from shared.projections.record import Records
from shared.settings import Settings
from shared.store.port import Filter
from shared.wiring import build
from tests.builders import CLOSE, DAY, a_bar, a_headline, a_portfolio, a_trade_request, market_data
from tests.standins.desk import MemoryDesk, an_agent_desk, received

NAME = "market_analyst_momentum"
BARS = 60
ASKED = a_trade_request(portfolio="main", time=CLOSE + BARS * DAY)


class Remembered(market_analyst.AnalystState):
    """The state of a candidate that folds bars as its agent does."""


async def judge(event: TradeRequested, deps: AnalystDeps) -> Judgment:
    """Judge by the momentum of ten bars alone: the market analyst with other parameters."""
    bars = await deps.bars.read(event.data.symbol, event.time, limit=11)
    if len(bars) < 11:
        raise MissingError("eleven bars are needed")
    rose = bars[-1].close > bars[0].close
    return Judgment(-1.0 if rose else 1.0, 1.0, "What rose falls again.")


async def on_bars(event: MarketDataReceived, state: Remembered, deps: AnalystDeps) -> Decision[Any]:
    decision = await market_analyst.on_market_data_received(event, state, deps)
    own = (each.event.model_copy(update={"id": f"own-{each.event.id}", "source": NAME}) for each in decision.emits)
    return Decision(decision.state, tuple(map(Emit, own)))


MOMENTUM = Candidate(market_analyst.NAME, {TRADE.name: judge}, Remembered, {MarketDataReceived: on_bars})


@pytest.fixture
def declared(monkeypatch: pytest.MonkeyPatch) -> Callable[[Candidate], None]:
    """Give what declares a candidate, as a line in the registry would, for as long as the test runs."""
    return lambda candidate: monkeypatch.setitem(CANDIDATES, NAME, candidate)


def the_days() -> list[Event]:
    closes = [
        market_data(a_bar("AAPL", close=100.0 + day + day % 3, closed_at=CLOSE + day * DAY)) for day in range(BARS)
    ]
    return [a_portfolio(), *closes, a_headline("Apple wins a large order", time=ASKED.time), ASKED]


async def played(promoted: tuple[str, ...] = ()) -> MemoryDesk:
    desk = an_agent_desk(topology(), promoted=promoted)
    for event in the_days():
        desk.clock.moment = max(desk.clock.moment, event.time)
        await desk.runtime.emit([event])
        while found := [delivery for name in desk.readers if (delivery := await desk.take(name)) is not None]:
            for delivery in found:
                await desk.deliver(delivery)
    return desk


async def of_type(desk: MemoryDesk, kind: str) -> list[Event]:
    return [event for event in await desk.log() if event.type == kind]


@pytest.mark.parametrize("reactions", [MOMENTUM.reactions, {}])
async def test_consensus_when_a_candidate_votes_is_the_same_to_the_byte(
    declared: Callable[[Candidate], None], reactions: dict[type[Event], Handler]
) -> None:
    without = await played()
    declared(replace(MOMENTUM, reactions=reactions))
    beside = await played()
    (reached,) = await of_type(beside, "consensus.reached")
    assert [reached] == await of_type(without, "consensus.reached")
    own = [event for event in await beside.log() if event.source == NAME]
    assert [event.json_bytes for event in await beside.log() if event.source != NAME] == [
        event.json_bytes for event in await without.log()
    ]
    (opinion,) = own
    assert (opinion.type, opinion.data.agent, opinion.data.stance) == ("opinion.formed", NAME, -1.0)
    assert NAME not in reached.json_bytes.decode()


async def test_candidate_when_it_keeps_state_has_its_own_and_says_nothing(
    declared: Callable[[Candidate], None],
) -> None:
    declared(MOMENTUM)
    desk = await played()
    mine = await OwnState(desk.store, NAME, Remembered).read("market-0")
    theirs = await OwnState(desk.store, market_analyst.NAME, market_analyst.AnalystState).read("market-0")
    assert mine.symbols == theirs.symbols != {}
    assert {event.source for event in await of_type(desk, "analysis.completed")} == {market_analyst.NAME}


async def test_candidate_when_promoted_votes_in_the_place_of_its_agent(
    declared: Callable[[Candidate], None],
) -> None:
    declared(MOMENTUM)
    (before,) = await of_type(await played(), "consensus.reached")
    desk = await played((NAME,))
    (reached,) = await of_type(desk, "consensus.reached")
    names = {market_analyst.NAME: NAME}
    assert [vote.agent for vote in reached.data.votes] == sorted(names.get(each, each) for each in TRADE.judges)
    assert reached.data.closed_by == "quorum"
    assert reached.data.score < before.data.score
    asked = {event.source for event in await of_type(desk, "opinion.formed")}
    assert asked == {*TRADE.judges, NAME}  # whom it replaces goes on being recorded


@pytest.mark.parametrize("votes", [(), (NAME,)])
async def test_candidate_when_its_horizon_is_over_is_graded_as_its_agent_is(
    declared: Callable[[Candidate], None], votes: tuple[str, ...]
) -> None:
    declared(MOMENTUM)
    desk = await played(votes)
    await desk.runtime.emit([market_data(a_bar("AAPL", close=500.0, closed_at=ASKED.time + 3 * DAY))])
    await desk.run()
    desk.clock.moment = ASKED.time + DUE_AFTER + timedelta(days=1)
    oracle = desk.roles["oracle"].deps
    grading = Grading(desk.store, desk.clock, desk.runtime, oracle.bars, oracle.views)  # type: ignore[attr-defined]
    await grading.tick()
    await desk.run()
    graded = {event.data.agent: event.data for event in await of_type(desk, "opinion.graded")}
    assert {NAME, market_analyst.NAME} <= graded.keys()
    assert (graded[NAME].hit, graded[market_analyst.NAME].hit) == (False, True)
    records = Records(desk.projector._projections)
    assert await records.latest(NAME, desk.clock.now()) == graded[NAME].record


async def test_agent_when_its_candidate_fails_is_not_held_up(declared: Callable[[Candidate], None]) -> None:
    async def broken(event: object, deps: object) -> Judgment:
        raise ZeroDivisionError("a bug in what is tried out")

    without = await played()
    declared(replace(MOMENTUM, judges={TRADE.name: broken}))
    desk = await played()
    assert await of_type(desk, "consensus.reached") == await of_type(without, "consensus.reached")
    (failed,) = await of_type(desk, "step.failed")
    assert (failed.data.agent, failed.causationid) == (NAME, ASKED.id)
    assert "a bug in what is tried out" in failed.data.reason
    assert await desk.bus.dead_letters() == []


async def test_candidate_when_something_is_away_votes_later(declared: Callable[[Candidate], None]) -> None:
    tries = iter([TransientError("429")])

    async def busy(event: TradeRequested, deps: AnalystDeps) -> Judgment:
        if (error := next(tries, None)) is not None:
            raise error
        return await judge(event, deps)

    declared(replace(MOMENTUM, judges={TRADE.name: busy}))
    desk = await played()
    assert NAME not in {event.source for event in await of_type(desk, "opinion.formed")}
    await desk.run()
    votes = [event.source for event in await of_type(desk, "opinion.formed")]
    assert sorted(votes) == sorted([*TRADE.judges, NAME])


def test_setting_when_it_names_no_candidate_is_refused(
    declared: Callable[[Candidate], None], tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = Settings.from_env({"FINAGENT_PROMOTED": "nobody", "FINAGENT_DATA": str(tmp_path)})
    with pytest.raises(InvalidError, match=r"FINAGENT_PROMOTED: no candidate is named nobody: none is declared"):
        build(settings)
    declared(MOMENTUM)
    monkeypatch.setitem(CANDIDATES, "another", MOMENTUM)
    with pytest.raises(InvalidError, match="two are versions of one agent"):
        promoted((NAME, "another"))
    assert not list(tmp_path.iterdir())


async def test_setting_when_it_names_a_candidate_has_it_counted(
    declared: Callable[[Candidate], None], tmp_path: Any
) -> None:
    declared(MOMENTUM)
    desk = build(Settings.from_env({"FINAGENT_PROMOTED": NAME, "FINAGENT_DATA": str(tmp_path)}))
    try:
        await desk.runtime.emit([ASKED])
        for agent in TRADE.judges:
            await desk.runtime.handle(received(message_for(ASKED)), agent)
        for body in (await desk.store.page(Filter(types=("opinion.formed",)), "", 10)).events:
            await desk.runtime.handle(received(message_for(decode(body))), CONSENSUS)
        (reached,) = (await desk.store.page(Filter(types=("consensus.reached",)), "", 10)).events
    finally:
        await desk.close()
    votes = {vote.agent for vote in decode(reached).data.votes}
    assert (NAME in votes, market_analyst.NAME in votes) == (True, False)


async def test_agents_when_listed_have_their_candidates_among_them(
    declared: Callable[[Candidate], None], tmp_path: Any
) -> None:
    declared(MOMENTUM)
    desk = build(Settings.from_env({"FINAGENT_PROMOTED": NAME, "FINAGENT_DATA": str(tmp_path)}))
    try:
        listed = {each["name"]: each for each in await desk.queries.agents(LOCAL)}
    finally:
        await desk.close()
    assert listed[NAME]["candidate_for"] == market_analyst.NAME
    assert listed[NAME]["votes_in"] == [TRADE.name]
    assert listed[NAME]["reacts_to"] == ["market.data.received", "trade.requested"]
    assert "candidate_for" not in listed[market_analyst.NAME]
    assert registry.is_graded(NAME, TRADE)
