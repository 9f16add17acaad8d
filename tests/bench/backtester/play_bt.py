"""bt: an algorithm for each day; it fills at the close that gave the signal, for it knows no opens."""

import bt
import pandas as pd

from tests.bench.backtester.crossover import SHARES, Crossover
from tests.bench.backtester.data import Row
from tests.bench.backtester.timing import told, took


class Crossing(bt.Algo):  # type: ignore[misc]
    """The crossover."""

    def __init__(self, prices: pd.DataFrame) -> None:
        super().__init__()
        self._days = prices.to_numpy().tolist()
        self._names = list(prices.columns)
        self._followed = [Crossover() for _ in self._names]
        self._held = [False] * len(self._names)
        self._day = 0
        self.fills = 0

    def __call__(self, target: bt.Strategy) -> bool:
        """Take in a day."""
        for place, price in enumerate(self._days[self._day]):
            if price != price:
                continue
            signal = self._followed[place].follow(price)
            if signal and (signal > 0) != self._held[place]:
                self._held[place] = signal > 0
                self.fills += 1
                target.transact(SHARES if signal > 0 else -SHARES, child=self._names[place])
        self._day += 1
        return True


def main(rows: list[Row]) -> None:
    """Play the rows."""
    series = {(row.closed_at.replace(tzinfo=None), row.symbol): row.close for row in rows}
    prices = pd.Series(series).unstack()
    algo = Crossing(prices)
    with took() as clock:
        test = bt.Backtest(bt.Strategy("crossing", [algo]), prices, initial_capital=1e9)
        bt.run(test, progress_bar=False)
    told(len(rows), test.strategy.stack.algos[0].fills, clock.seconds)
