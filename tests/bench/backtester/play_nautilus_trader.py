"""nautilus_trader: an actor with a matching engine."""

from nautilus_trader.backtest.engine import BacktestEngine, BacktestEngineConfig
from nautilus_trader.config import LoggingConfig
from nautilus_trader.model.currencies import USD
from nautilus_trader.model.data import Bar, BarType
from nautilus_trader.model.enums import AccountType, OmsType, OrderSide
from nautilus_trader.model.identifiers import Venue
from nautilus_trader.model.objects import Money, Price, Quantity
from nautilus_trader.test_kit.providers import TestInstrumentProvider
from nautilus_trader.trading.strategy import Strategy

from tests.bench.backtester.crossover import SHARES, Crossover
from tests.bench.backtester.data import Row
from tests.bench.backtester.timing import told, took


class Crossing(Strategy):  # type: ignore[misc]
    """The crossover."""

    def __init__(self, types: list[BarType]) -> None:
        super().__init__()
        self.types = types
        self.followed = {each: Crossover() for each in types}
        self.long = set[BarType]()

    def on_start(self) -> None:
        """Begin."""
        for each in self.types:
            self.subscribe_bars(each)

    def on_bar(self, bar: Bar) -> None:
        """Take in a bar."""
        kind = bar.bar_type
        signal = self.followed[kind].follow(float(bar.close))
        if signal and (signal > 0) != (kind in self.long):
            self.long.symmetric_difference_update((kind,))
            side = OrderSide.BUY if signal > 0 else OrderSide.SELL
            self.submit_order(self.order_factory.market(kind.instrument_id, side, Quantity.from_int(int(SHARES))))


def main(rows: list[Row]) -> None:
    """Play the rows."""
    engine = BacktestEngine(BacktestEngineConfig(logging=LoggingConfig(bypass_logging=True)))
    engine.add_venue(Venue("XNAS"), OmsType.NETTING, AccountType.CASH, [Money(10**9, USD)], base_currency=USD)
    types = dict[str, BarType]()
    for symbol in dict.fromkeys(row.symbol for row in rows):
        engine.add_instrument(TestInstrumentProvider.equity(symbol, "XNAS"))
        types[symbol] = BarType.from_str(f"{symbol}.XNAS-1-DAY-LAST-EXTERNAL")
    engine.add_data([_bar(row, types[row.symbol]) for row in rows])
    engine.add_strategy(Crossing(list(types.values())))
    with took() as clock:
        engine.run()
    fills = sum(order.is_closed for order in engine.cache.orders())
    told(len(rows), fills, clock.seconds)


def _bar(row: Row, kind: BarType) -> Bar:
    opened, high, low, close = (Price(max(0.01, value), 2) for value in (row.open, row.high, row.low, row.close))
    moment = int(row.closed_at.timestamp()) * 10**9
    return Bar(
        kind, opened, max(high, opened, close), min(low, opened, close), close, Quantity.from_int(10**7), moment, moment
    )
