"""backtesting.py (AGPL-3: measured here, never shipped), a run for each symbol."""

import pandas as pd
from backtesting import Backtest, Strategy

from tests.bench.backtester.crossover import SHARES, Crossover
from tests.bench.backtester.data import Row
from tests.bench.backtester.timing import told, took


class Crossing(Strategy):  # type: ignore[misc]
    """The crossover; its first call comes with the second bar."""

    def init(self) -> None:
        """Begin."""
        self.crossover = Crossover()
        self.crossover.follow(self.data.Close[0])

    def next(self) -> None:
        """Take in a bar."""
        signal = self.crossover.follow(self.data.Close[-1])
        if signal > 0 and not self.position:
            self.buy(size=int(SHARES))
        elif signal < 0 and self.position:
            self.position.close()


def main(rows: list[Row]) -> None:
    """Play the rows."""
    frames = dict[str, pd.DataFrame]()
    for symbol in sorted({row.symbol for row in rows}):
        own = [row for row in rows if row.symbol == symbol]
        columns = {
            name: [getattr(row, name.lower()) for row in own] for name in ("Open", "High", "Low", "Close", "Volume")
        }
        frames[symbol] = pd.DataFrame(
            columns, index=pd.DatetimeIndex([row.closed_at.replace(tzinfo=None) for row in own])
        )
    fills = 0
    with took() as clock:
        for frame in frames.values():
            trades = Backtest(frame, Crossing, cash=1e9).run()["_trades"]
            fills += 2 * len(trades)
    told(len(rows), fills, clock.seconds)
