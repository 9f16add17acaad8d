"""One-day value at risk of each model against what happened: Kupiec's and Christoffersen's tests, as they come out.

Each day is forecast from the 250 returns before it, as the risk manager does. Two sets of real prices: the recording's
four names from 2005, and the twenty of the S&P 500 that skfolio ships, from 1991 to 2022.
"""

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from shared.agents.risk_manager import HISTORY_BARS
from shared.market.recorded import SYMBOLS
from shared.quant.coverage import Hits, christoffersen, conditional_coverage, kupiec
from shared.quant.risk import Floats, returns_from_closes
from shared.quant.value_at_risk import ewma_var, filtered_var, historical_var
from tests.bench.forecast import FIRST_YEAR, recorded
from tests.bench.table import Cell, Table

type Model = Callable[[Floats, float], float]

MODELS: Mapping[str, Model] = {"historical": historical_var, "EWMA": ewma_var, "filtered": filtered_var}
LEVELS = (0.95, 0.99)
REJECTED = 0.05
_NOTE = (
    "p-values of three null hypotheses: as many exceptions as said (Kupiec), none more likely after another"
    " (Christoffersen), both. Below 0.05 the model is rejected."
)


def run(_folder: Path) -> list[Table]:
    """Forecast every day of both sets."""
    four = {symbol: _recorded_hits(symbol) for symbol in SYMBOLS}
    twenty = {symbol: exceptions(returns_from_closes(closes)) for symbol, closes in _index_closes().items()}
    return [_detailed(four), *(_compact(twenty, level) for level in LEVELS), _summary(twenty)]


def exceptions(returns: Floats, *, first: int = 0) -> dict[tuple[str, float], Hits]:
    """Give the days on which each model's value at risk was exceeded, by model and level, from day `first` on."""
    window, found = HISTORY_BARS - 1, dict[tuple[str, float], Hits]()
    days = range(max(first, window), len(returns))
    for name, model in MODELS.items():
        for level in LEVELS:
            hits = [-returns[day] > model(returns[day - window : day], level) for day in days]
            found[name, level] = np.array(hits, dtype=np.bool_)
    return found


def _recorded_hits(symbol: str) -> dict[tuple[str, float], Hits]:
    years, closes = recorded(symbol)
    return exceptions(returns_from_closes(closes), first=int(np.searchsorted(years, FIRST_YEAR)) - 1)


def _index_closes() -> dict[str, Floats]:
    from skfolio.datasets import load_sp500_dataset

    prices = load_sp500_dataset()
    return {str(symbol): prices[symbol].to_numpy(dtype=np.float64) for symbol in prices.columns}


def _detailed(found: Mapping[str, Mapping[tuple[str, float], Hits]]) -> Table:
    rows: list[list[Cell]] = []
    for name in MODELS:
        for level in LEVELS:
            for symbol, by_model in found.items():
                hits = by_model[name, level]
                tests = (kupiec(hits, level), christoffersen(hits), conditional_coverage(hits, level))
                values = (f"{test.p_value:.3f}" for test in tests)
                rows.append([name, f"{level:.0%}", symbol, len(hits), int(hits.sum()), _percent(hits), *values])
    columns = ("model", "level", "symbol", "days", "exceptions", "exceptions %", "Kupiec", "Christoffersen", "both")
    return Table(f"One-day value at risk, the recording, {FIRST_YEAR} to 2013-03-01", columns, rows, _NOTE)


def _compact(found: Mapping[str, Mapping[tuple[str, float], Hits]], level: float) -> Table:
    rows: list[list[Cell]] = []
    for symbol, by_model in found.items():
        cells: list[Cell] = [symbol]
        for name in MODELS:
            hits = by_model[name, level]
            cells += [_percent(hits), f"{kupiec(hits, level).p_value:.3f}", f"{christoffersen(hits).p_value:.3f}"]
        rows.append(cells)
    columns = tuple(f"{name} {part}" for name in MODELS for part in ("%", "Kupiec", "Christoffersen"))
    title = f"One-day value at risk at {level:.0%}, skfolio's twenty, 1991 to 2022: exceptions and p-values"
    return Table(title, ("symbol", *columns), rows)


def _summary(found: Mapping[str, Mapping[tuple[str, float], Hits]]) -> Table:
    rows: list[list[Cell]] = []
    for name in MODELS:
        for level in LEVELS:
            hits = [by_model[name, level] for by_model in found.values()]
            rejected = [
                sum(kupiec(each, level).p_value < REJECTED for each in hits),
                sum(christoffersen(each).p_value < REJECTED for each in hits),
                sum(conditional_coverage(each, level).p_value < REJECTED for each in hits),
            ]
            rows.append([name, f"{level:.0%}", _percent(np.concatenate(hits)), *rejected])
    columns = ("model", "level", "exceptions %", "Kupiec rejects", "Christoffersen rejects", "both at once reject")
    return Table(f"How many of the {len(found)} names reject a model at {REJECTED:.0%}", columns, rows)


def _percent(hits: Hits) -> float:
    return round(100 * float(hits.mean()), 2)
