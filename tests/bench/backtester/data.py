"""The two sets of daily bars that all are measured with."""

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

CLOSE = timedelta(hours=21)


@dataclass(frozen=True, slots=True)
class Row:
    """One bar."""

    symbol: str
    closed_at: datetime
    open: float
    high: float
    low: float
    close: float
    volume: float


def recorded() -> list[Row]:
    """Give the recorded feed: four names, 2000 to 2013."""
    from shared.market.recorded import SYMBOLS, RecordedMarketSource

    start, end = datetime(2000, 1, 1, tzinfo=UTC), datetime(2014, 1, 1, tzinfo=UTC)
    bars = asyncio.run(RecordedMarketSource().bars(SYMBOLS, "1Day", start, end))
    return [Row(bar.symbol, bar.closed_at, bar.open, bar.high, bar.low, bar.close, bar.volume) for bar in bars]


def twenty_names() -> list[Row]:
    """Give skfolio's twenty names, 1990 to 2022, of which only closes are known."""
    from skfolio.datasets import load_sp500_dataset

    prices = load_sp500_dataset()
    rows = list[Row]()
    for day, values in zip(prices.index, prices.to_numpy().tolist(), strict=True):
        closed_at = datetime(day.year, day.month, day.day, tzinfo=UTC) + CLOSE
        for symbol, price in zip(prices.columns, values, strict=True):
            rows.append(Row(symbol, closed_at, price, price, price, price, 1e7))
    return rows


DATA = {"recorded": recorded, "twenty": twenty_names}
