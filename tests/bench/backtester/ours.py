"""This engine: the crossover as a role, a simulated broker as another, each bar an event."""

from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from itertools import count
from typing import Any

from shared.agents.decision import Decision, Stateless
from shared.broker.port import Account, Order
from shared.broker.simulated import SimulatedBroker, Terms
from shared.events.emit import Emit
from shared.events.envelope import Event
from shared.events.market import MarketDataReceived
from shared.events.trade import Trade, TradeRequested
from shared.replay.engine import Engine, Outcome
from shared.replay.world import World
from shared.runtime import Role
from tests.bench.backtester.crossover import SHARES, Crossover

CASH = 1e9


def roles(broker: SimulatedBroker, filled: Callable[[Any], object]) -> dict[str, Role]:
    """Give the broker and the strategy."""
    followed, held = dict[str, Crossover](), set[str]()

    async def trades(event: MarketDataReceived, _state: Stateless, _deps: None) -> Decision[Any]:
        for fill in broker.trade(event.data.bars):
            filled(fill)
        return Decision()

    async def crosses(event: MarketDataReceived, _state: Stateless, _deps: None) -> Decision[Any]:
        emits = list[Emit]()
        for bar in event.data.bars:
            symbol = bar.symbol
            known = followed.get(symbol)
            if known is None:
                known = followed[symbol] = Crossover()
            signal = known.follow(bar.close)
            if signal and (signal > 0) != (symbol in held):
                held.symmetric_difference_update((symbol,))
                data = Trade(symbol=symbol, side="buy" if signal > 0 else "sell", quantity=SHARES)
                emits.append(Emit(TradeRequested.caused_by(event, source="crossover", ordinal=len(emits), data=data)))
        return Decision(emits=tuple(emits)) if emits else NOTHING

    async def orders(event: TradeRequested, _state: Stateless, _deps: None) -> Decision[Any]:
        asked = event.data
        broker.place(Order(event.id, event.id, asked.symbol, asked.side, asked.quantity, event.time))
        return NOTHING

    return {
        "broker": Role("broker", Stateless, {MarketDataReceived: trades, TradeRequested: orders}, None),
        "crossover": Role("crossover", Stateless, {MarketDataReceived: crosses}, None),
    }


NOTHING: Decision[Any] = Decision()


async def play(batches: AsyncIterator[Sequence[Event]]) -> tuple[Outcome, int]:
    """Play events, and give the outcome and the number of fills."""
    broker, fills = SimulatedBroker(Terms(slippage=0, fee=0, most_of_volume=1)), count()
    broker.open(Account(CASH))
    outcome = await Engine(roles(broker, lambda _fill: next(fills)), World(is_read=False)).play(batches)
    return outcome, next(fills)


async def in_batches(events: Iterable[Event]) -> AsyncIterator[Sequence[Event]]:
    """Give events as a source gives them."""
    yield list(events)
