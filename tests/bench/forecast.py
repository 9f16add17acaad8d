"""The oracle's forecasts out of sample: how often the 90 % interval held, and how they score beside a random walk.

Each day of the recording from 2005 on is forecast from the days before it alone. The random walk is normal, without
drift, and its volatility is that of all days known by then: what one would say who has never heard of volatility.
Nothing is random that the repository does not seed, so the figures are the same on every machine.
"""

import asyncio
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from math import erfc, exp, pi, sqrt
from pathlib import Path

import numpy as np

from shared.agents.oracle import CLOSES_KEPT, HORIZONS_DAYS
from shared.market.recorded import SYMBOLS, RecordedMarketSource
from shared.quant.forecast import LEAST_RETURNS, Floats, filter_returns, log_returns, simulate
from tests.bench.table import Cell, Table

FIRST_YEAR = 2005
INTERVAL = (0.05, 0.95)
COLUMNS = ("symbol", "days ahead", "forecasts", "held %", "below %", "above %", "CRPS %", "random walk %", "ratio")


@dataclass(frozen=True, slots=True)
class Score:
    """How one forecast did.

    Attributes
    ----------
    below, above : bool
        The return was outside the 90 % interval.
    crps, walk_crps : float
        Of the forecast and of the random walk, in return: 0 for who knew it.
    """

    below: bool
    above: bool
    crps: float
    walk_crps: float


def run(_folder: Path) -> list[Table]:
    """Forecast every day of the recording."""
    rows = list[list[Cell]]()
    scores = {symbol: scored(*recorded(symbol)) for symbol in SYMBOLS}
    for days in HORIZONS_DAYS:
        rows += [_row(symbol, days, scores[symbol][days]) for symbol in SYMBOLS]
        rows.append(_row("all", days, [each for symbol in SYMBOLS for each in scores[symbol][days]]))
    note = (
        "Held: the return was within the 90 % interval. CRPS: continuous ranked probability score, in return; ratio"
        " below 1: better than the random walk. Horizons overlap: of 21 days there are about 98 independent ones."
    )
    return [Table(f"Forecasts out of sample, {FIRST_YEAR} to 2013-03-01", COLUMNS, rows, note)]


@cache
def recorded(symbol: str) -> tuple[tuple[int, ...], Floats]:
    """Give the year of each close, and the closes."""
    source, ever = RecordedMarketSource(), (datetime(2000, 1, 1, tzinfo=UTC), datetime(2014, 1, 1, tzinfo=UTC))
    bars = asyncio.run(source.bars((symbol,), "1Day", *ever))
    return tuple(bar.closed_at.year for bar in bars), np.array([bar.close for bar in bars])


def scored(years: tuple[int, ...], closes: Floats, *, every: int = 1) -> Mapping[int, list[Score]]:
    """Give the scores by horizon, of a forecast on every `every`-th day."""
    scores: dict[int, list[Score]] = {days: [] for days in HORIZONS_DAYS}
    for last in range(LEAST_RETURNS, len(closes) - 1, every):
        if years[last] < FIRST_YEAR:
            continue
        known = closes[: last + 1]
        (samples,) = simulate([filter_returns(log_returns(known[-CLOSES_KEPT:]))], HORIZONS_DAYS, [last])
        deviation = float(log_returns(known).std())
        for days, sample in _within(samples, len(closes) - 1 - last):
            scores[days].append(_score(sample, deviation * sqrt(days), closes[last + days] / closes[last] - 1))
    return scores


def _within(samples: Floats, left: int) -> Iterator[tuple[int, Floats]]:
    return ((days, sample) for days, sample in zip(HORIZONS_DAYS, samples, strict=True) if days <= left)


def _score(sample: Floats, deviation: float, outcome: float) -> Score:
    low, high = np.quantile(sample, INTERVAL)
    return Score(outcome < low, outcome > high, crps(sample, outcome), normal_crps(deviation, outcome))


def crps(sample: Floats, outcome: float) -> float:
    """Give the continuous ranked probability score of an ascending sample: E|X - y| - E|X - X'| / 2."""
    count = sample.size
    ranks = 2 * np.arange(1, count + 1) - count - 1
    return float(np.abs(sample - outcome).mean() - (ranks @ sample) / count**2)


def normal_crps(deviation: float, outcome: float) -> float:
    """Give the score of a normal law around zero (Gneiting, Raftery 2007)."""
    z = outcome / deviation
    density, probability = exp(-z * z / 2) / sqrt(2 * pi), erfc(-z / sqrt(2)) / 2
    return deviation * (z * (2 * probability - 1) + 2 * density - 1 / sqrt(pi))


def _row(name: str, days: int, scores: list[Score]) -> list[Cell]:
    below, above = (100 * float(np.mean([getattr(each, side) for each in scores])) for side in ("below", "above"))
    mine, walk = (100 * float(np.mean([getattr(each, kind) for each in scores])) for kind in ("crps", "walk_crps"))
    shares = (100 - below - above, below, above)
    return [name, days, len(scores), *(round(share, 1) for share in shares), mine, walk, mine / walk]
