"""American options by a binomial tree of Leisen and Reimer, whose nodes are centred on the strike.

References
----------
.. [1] Leisen, Reimer, Binomial models for option valuation: examining and improving convergence (1996).
"""

from dataclasses import astuple
from math import sqrt

import numpy as np

from shared.errors import InvalidError
from shared.quant.option import Floats, Terms, checked, distances, value

STEPS = 801
_REACH = 4.0


def american_price(terms: Terms, steps: int = STEPS) -> Floats:
    """Give the price of American options, which may be exercised at any time.

    Parameters
    ----------
    terms : Terms
        As for European options.
    steps : int
        Odd, from 5. A tree allows exercise at its steps only, an error that falls as 1 / steps: a second tree of half
        as many steps tells how much is missing.

    Returns
    -------
    ndarray
        US dollars per share, in the terms' common shape, never below what exercise gives now, nor below the European
        price.

    Raises
    ------
    InvalidError
        As `shared.quant.option.value`; also for steps that are even or too few.

    Notes
    -----
    Without time it is what exercise gives. Without volatility, or with the forward so far from the strike that a tree
    has no branch there (4 standard deviations times the root of half the steps), the share's path is certain and the
    best moment of exercise on it counts. For a share worth 0 or a negative rate nothing is special.
    """
    if steps < 5 or steps % 2 == 0:  # noqa: PLR2004 - half a tree needs a middle between two nodes, too
        raise InvalidError(f"tree: steps must be odd and at least 5, not {steps}")
    given = checked(terms)
    sign, spot, strike, years, rate, dividends, volatility = (term.ravel() for term in given)
    d1, d2 = distances(spot, strike, years, rate, dividends, volatility)
    price = _on_certain_path(sign, spot, strike, years, rate, dividends)
    half = steps // 2 | 1
    rows = np.flatnonzero((np.maximum(np.abs(d1), np.abs(d2)) <= _REACH * sqrt(half)) & (years > 0))
    if rows.size:
        columns = Terms(*(each[rows, None] for each in (sign, spot, strike, years, rate, dividends, volatility)))
        fine, coarse = (_on_tree(columns, d1[rows, None], d2[rows, None], count) for count in (steps, half))
        price[rows] = (steps * fine - half * coarse) / (steps - half)
    exercised = np.maximum(sign * (spot - strike), 0.0)
    return np.maximum(np.maximum(price, exercised).reshape(given[0].shape), value(terms).price)


def _on_tree(terms: Terms, d1: Floats, d2: Floats, steps: int) -> Floats:
    sign, spot, strike, years, rate, dividends, _ = astuple(terms)
    step = years / steps
    up_chance, up_share = _chance(d2, steps), _chance(d1, steps)
    growth = np.exp((rate - dividends) * step)
    up, down = growth * up_share / up_chance, growth * (1 - up_share) / (1 - up_chance)
    places = np.arange(steps + 1)
    grid = spot * np.exp(places * np.log(up) + (steps - places) * np.log(down))
    rising, falling = np.exp(-rate * step) * up_chance, np.exp(-rate * step) * (1 - up_chance)
    values = np.maximum(sign * (grid - strike), 0.0)
    for _ in range(steps):
        grid = grid[:, :-1] / down
        values = np.maximum(rising * values[:, 1:] + falling * values[:, :-1], sign * (grid - strike))
    return np.asarray(values[:, 0], dtype=np.float64)


def _chance(distance: Floats, steps: int) -> Floats:
    # The second inversion of Peizer and Pratt: of a normal by a binomial distribution.
    scaled = distance / (steps + 1 / 3 + 0.1 / (steps + 1))
    root = np.sqrt(-np.expm1(-scaled * scaled * (steps + 1 / 6)))
    return np.asarray(0.5 + np.copysign(0.5, distance) * root, dtype=np.float64)


def _on_certain_path(
    sign: Floats, spot: Floats, strike: Floats, years: Floats, rate: Floats, dividends: Floats
) -> Floats:
    # Exercise pays best now, at the end, or where its discounted value turns: at q S e^-qt = r K e^-rt.
    with np.errstate(all="ignore"):
        turn = np.log(dividends * spot / (rate * strike)) / (dividends - rate)
    turn = np.where(np.isfinite(turn), np.clip(turn, 0.0, years), 0.0)
    moments = np.stack([np.zeros_like(years), turn, years])
    paid = sign * (spot * np.exp(-dividends * moments) - strike * np.exp(-rate * moments))
    return np.asarray(np.maximum(paid.max(axis=0), 0.0), dtype=np.float64)
