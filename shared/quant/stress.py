"""What a portfolio would lose if something named happened to today's weights.

Owns the scenarios: autumn 2008 as it was, volatility up, correlation to one. Losses are positive fractions of today's
value, over the time that each scenario takes. What is refused, and how, is as in `risk.py`.

References
----------
.. [1] McNeil, Frey, Embrechts, Quantitative Risk Management (revised ed., 2015), 9.3.
.. [2] Embrechts, Puccetti, Rueschendorf, Model uncertainty and VaR aggregation (2013).
"""

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from statistics import NormalDist

import numpy as np

from shared.errors import InvalidError
from shared.quant.risk import Floats, ewma_volatility, fitting
from shared.quant.value_at_risk import check_level, ewma_var

AUTUMN_2008_PATH = Path(__file__).with_name("autumn_2008.json")
VOLATILITY_FACTOR = 3.0
"""By how much volatility is up: EWMA volatility of the recorded four rose 2.3 to 3.2 times in autumn 2008."""


@dataclass(frozen=True, slots=True)
class Episode:
    """What happened once.

    Attributes
    ----------
    source : str
        Where the numbers are from.
    days : tuple of str
        Trading days, ISO dates.
    returns : dict of str to ndarray of shape (n_days,)
        Simple daily returns by symbol.
    """

    source: str
    days: tuple[str, ...]
    returns: dict[str, Floats]

    def of(self, symbol: str) -> Floats:
        """Give a symbol's daily returns; of one that is not in it, the mean of those that are."""
        found = self.returns.get(symbol)
        return np.mean(list(self.returns.values()), axis=0) if found is None else found


@cache
def autumn_2008() -> Episode:
    """Give the daily returns from the Friday before Lehman Brothers failed to the market's low of 2008-11-20."""
    stored = json.loads(AUTUMN_2008_PATH.read_bytes())
    returns = {symbol: np.array(values, dtype=np.float64) for symbol, values in stored["returns"].items()}
    return Episode(stored["source"], tuple(stored["days"]), returns)


def deepest_loss(weights: Floats, returns: Floats) -> float:
    """Give the most that was lost since the start at any day, where nobody trades meanwhile ([1]).

    Parameters
    ----------
    weights : ndarray of shape (n_assets,)
        Fractions of the value at the start; the rest is cash.
    returns : ndarray of shape (n_days, n_assets)
        Simple daily returns of the scenario.

    Returns
    -------
    float
        A fraction of the value at the start; zero where it never was below, and without a day or an asset.

    Raises
    ------
    InvalidError
        The shapes do not match, or a value is NaN or infinite.
    """
    shares, history = fitting(weights, returns)
    gains = (np.cumprod(1.0 + history, axis=0) - 1.0) @ shares
    return max(0.0, 0.0 - float(gains.min(initial=0.0)))


def volatility_up_var(returns: Floats, level: float, factor: float = VOLATILITY_FACTOR) -> float:
    """Give `ewma_var` with volatility times `factor`, over one period.

    Raises
    ------
    MissingError, InvalidError
        As in `ewma_var`; also `InvalidError` for a factor that is not finite and positive.
    """
    if not 0 < factor < float("inf"):
        raise InvalidError(f"factor: {factor} is not finite and positive")
    return factor * ewma_var(returns, level)


def correlation_one_var(weights: Floats, returns: Floats, level: float) -> float:
    """Give the EWMA value at risk where all holdings fall together: the sum of each one's own ([2]).

    Parameters
    ----------
    weights, returns, level
        As in `contribution.marginal_vars`.

    Returns
    -------
    float
        Never below `ewma_var` of the portfolio; zero for cash alone.

    Raises
    ------
    MissingError, InvalidError
        As in `contribution.marginal_vars`.
    """
    check_level(level)
    shares, history = fitting(weights, returns)
    volatilities = [ewma_volatility(series) for series in history.T]
    return NormalDist().inv_cdf(level) * float(np.abs(shares) @ np.array(volatilities, dtype=np.float64))
