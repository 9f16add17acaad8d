"""The trader of a backtest: only what was approved, and of its own portfolio, becomes an order."""

from datetime import timedelta

import pytest

from shared.broker.port import Account
from shared.broker.simulated import SimulatedBroker, Terms
from shared.events.replay import TradeFilled
from shared.events.trade import ConsensusReached
from shared.replay.engine import Engine
from shared.replay.trader import NAME, Trader
from shared.replay.world import World
from tests.builders import CLOSE, DAY, a_bar, a_trade_request, market_data
from tests.examples import FULL


@pytest.mark.parametrize(
    ("decision", "portfolio", "filled"),
    [("approved", "main", 1), ("rejected", "main", 0), ("no_quorum", "main", 0), ("approved", "another", 0)],
)
async def test_consensus_when_it_is_reached_is_traded_where_it_approves(
    decision: str, portfolio: str, filled: int
) -> None:
    world, broker = World(), SimulatedBroker(Terms(most_of_volume=1))
    broker.open(Account(10_000))
    trader = Trader("main", broker, world.store, timedelta(days=1), CLOSE + DAY)
    request = a_trade_request(portfolio=portfolio)
    example = next(event for event in FULL if isinstance(event, ConsensusReached))
    data = example.data.model_copy(update={"decision": decision, "trigger": request.id})
    reached = ConsensusReached.caused_by(request, source="consensus", data=data)
    log = list[object]()
    engine = Engine({NAME: trader.role()}, world, record=log.append)
    await engine.feed([request, reached, market_data(a_bar(closed_at=CLOSE + DAY))])
    await engine.finish()
    assert sum(isinstance(event, TradeFilled) for event in log) == filled
    assert (broker.account.cash < 10_000) == bool(filled)
