"""basana: an event a bar, and an exchange that fills."""

import asyncio
import datetime
from decimal import Decimal

import basana as bs
from basana.backtesting import exchange as backtesting_exchange

from tests.bench.backtester.crossover import SHARES, Crossover
from tests.bench.backtester.data import Row
from tests.bench.backtester.timing import told, took

_DAY = datetime.timedelta(days=1)


def main(rows: list[Row]) -> None:
    """Play the rows."""
    events = [_event(row) for row in rows]
    fills = 0

    async def play() -> None:
        nonlocal fills
        dispatcher = bs.backtesting_dispatcher()
        exchange = backtesting_exchange.Exchange(dispatcher, {"USD": Decimal(10**9)})
        followed, held = dict[bs.Pair, Crossover](), set[bs.Pair]()

        async def on_bar(event: bs.BarEvent) -> None:
            pair = event.bar.pair
            signal = followed[pair].follow(float(event.bar.close))
            if signal and (signal > 0) != (pair in held):
                held.symmetric_difference_update((pair,))
                operation = bs.OrderOperation.BUY if signal > 0 else bs.OrderOperation.SELL
                await exchange.create_market_order(operation, pair, Decimal(int(SHARES)))

        exchange.add_bar_source(bs.FifoQueueEventSource(events=events))
        for symbol in dict.fromkeys(row.symbol for row in rows):
            pair = bs.Pair(symbol, "USD")
            followed[pair] = Crossover()
            exchange.set_pair_info(pair, bs.PairInfo(8, 8))
            exchange.subscribe_to_bar_events(pair, on_bar)
        await dispatcher.run()
        fills = sum(not order.is_open for order in await exchange.get_orders())

    with took() as clock:
        asyncio.run(play())
    told(len(rows), fills, clock.seconds)


def _event(row: Row) -> bs.BarEvent:
    prices = (Decimal(f"{value:.8f}") for value in (row.open, row.high, row.low, row.close, row.volume))
    bar = bs.Bar(row.closed_at - _DAY, bs.Pair(row.symbol, "USD"), *prices, _DAY)
    return bs.BarEvent(row.closed_at, bar)
