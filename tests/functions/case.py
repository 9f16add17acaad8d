"""One case for every function that a message triggers: what it is sent, and what the desk knows afterwards."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from shared.agents.registry import TRADE
from shared.events.catalogue import decode
from shared.events.envelope import Event
from shared.events.market import Analysis, AnalysisCompleted
from shared.events.portfolio import RiskAssessed, RiskAssessment
from shared.store.port import Filter
from shared.wiring import Desk
from tests.builders import (
    CLOSE,
    DAY,
    a_bar,
    a_portfolio,
    a_question,
    a_replay_request,
    a_trade_request,
    an_opinion,
    an_options_request,
    market_data,
)

type Lookup = Callable[[Desk], Awaitable[object]]

REQUEST = a_trade_request(quantity=3)


@dataclass(frozen=True, slots=True)
class Case:
    """What a function is sent, one message after another, and what to look up when it has returned.

    Attributes
    ----------
    expected : object
        What `known` gives then; before the first message it gives something else.
    """

    events: tuple[Event, ...]
    known: Lookup
    expected: object


async def log(desk: Desk, *types: str) -> list[Event]:
    """Give the events of some types in the desk's log, in order."""
    return [decode(body) for body in (await desk.store.page(Filter(types=types), "", 1_000)).events]


def _emitted(event_type: str) -> Lookup:
    async def sources(desk: Desk) -> object:
        return [event.source for event in await log(desk, event_type)]

    return sources


def _voter(agent: str) -> Case:
    return Case((REQUEST,), _emitted("opinion.formed"), [agent])


async def _rebalanced(desk: Desk) -> object:
    # What the suggestion is about is in the log before the first message.
    await desk.store.append([a_portfolio()])
    return await _emitted("rebalance.suggested")(desk)


async def _narrated(desk: Desk) -> object:
    return await desk.store.receipt("narrator", _ASSESSED.stream, _ASSESSED.id)


async def _view(desk: Desk) -> object:
    body = await desk.queries.views.latest("market_analyst", "AAPL", CLOSE + DAY)
    return None if body is None else decode(body).id


async def _closes(desk: Desk) -> object:
    return [bar.close for bar in await desk.queries.bars.read("AAPL", CLOSE + DAY, limit=5)]


_ANALYSIS = AnalysisCompleted.caused_by(
    market_data(),
    source="market_analyst",
    data=Analysis(
        symbol="AAPL",
        closed_at=CLOSE,
        close=100.0,
        trend="up",
        view=0.5,
        confidence=0.9,
        indicators={"rsi_14": 60.0},
        moved_by=("rsi_14",),
    ),
)


_ASSESSED = RiskAssessed.caused_by(
    a_portfolio(),
    source="risk_manager",
    data=RiskAssessment(portfolio="main", value=11_000, weights={}, measures={}, observations=0, breaches=()),
)


def _bars(days: int) -> tuple[Event, ...]:
    """Daily bars of a price that moves up and down, the last of them at `CLOSE`."""
    return tuple(
        market_data(a_bar(close=100.0 + day + day % 3, closed_at=CLOSE + (day - days) * DAY))
        for day in range(1, days + 1)
    )


CASES: dict[str, Case] = {
    "market_analyst": _voter("market_analyst"),
    "risk_manager": _voter("risk_manager"),
    "sentiment_tracker": _voter("sentiment_tracker"),
    "options_strategist": Case((an_options_request(),), _emitted("options.suggested"), ["options_strategist"]),
    "research_agent": Case((a_question(),), _emitted("research.completed"), ["research_agent"]),
    "replay": Case((a_replay_request(),), _emitted("replay.completed"), ["replay"]),
    "oracle": _voter("oracle"),
    "portfolio_optimizer": Case((_ASSESSED,), _rebalanced, ["portfolio_optimizer"]),
    "consensus": Case(
        (REQUEST, *(an_opinion(REQUEST, agent=agent) for agent in TRADE.judges)),
        _emitted("consensus.reached"),
        ["consensus"],
    ),
    # Without a language model it has nothing to say, and says so by its receipt.
    "narrator": Case((_ASSESSED,), _narrated, ()),
    "projector": Case((_ANALYSIS,), _view, _ANALYSIS.id),
    "projector_market": Case((market_data(a_bar(close=101.5)),), _closes, [101.5]),
    "market_analyst_market": Case(_bars(60), _emitted("analysis.completed"), ["market_analyst"]),
    "oracle_market": Case(_bars(251), _emitted("forecast.published"), ["oracle"]),
}
