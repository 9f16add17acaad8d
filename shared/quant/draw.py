"""Which residual each day of each future takes: points that fill the space of futures evenly, instead of chance.

A mean over N independent draws errs by about 1 / sqrt(N). Points that lie evenly err less: a Kronecker sequence ([1]),
shifted at random ([2]), whose best coordinates decide what matters most, the sums over the horizons, and whose others
decide the days between them (a Brownian bridge, [3]). Then each day's values are replaced by their ranks, so that every
residual has its share of every day exactly (a Latin hypercube, [4]). So 1,024 futures err less than 2,000 independent
ones; docs/agents.md has by how much.

A set is made once and used for ever: a seed chooses among `SETS`, and from which day on the days between two horizons
are taken in turn, which changes no sum. All that depends on a seed is done with integers: it is the same anywhere.

References
----------
.. [1] Niederreiter, Random number generation and quasi-Monte Carlo methods (1992), chapter 3.
.. [2] Cranley, Patterson, Randomization of number theoretic methods for multiple integration (1976).
.. [3] Glasserman, Monte Carlo methods in financial engineering (2003), 5.5.
.. [4] Owen, Latin supercube sampling for very high-dimensional simulations (1998).
.. [5] Salmon et al., Parallel random numbers: as easy as 1, 2, 3 (2011): Philox.
"""

from collections.abc import Iterator
from functools import lru_cache
from itertools import count, islice, pairwise
from math import sqrt
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

FUTURES = 1_024
SETS = 16

type Floats = NDArray[np.float64]
type Places = NDArray[np.intp]


def places(horizons: tuple[int, ...], size: int, seed: int) -> Places:
    """Give which of `size` sorted values each day of each future takes.

    Parameters
    ----------
    horizons : tuple of int
        Days, ascending from 1; sums over the first so many days are drawn most evenly.
    size : int
        At least 1.
    seed : int
        From 0; the same seed gives the same places.

    Returns
    -------
    ndarray of shape (n_days, 1024)
        From 0 to below `size`.
    """
    number, turns = seed % SETS, seed // SETS
    days = list[int]()
    for begin, end in pairwise((0, *horizons)):
        turns, first = divmod(turns, end - begin)
        days += [*range(begin + first, end), *range(begin, begin + first)]
    # In halves of ranks: the middle of each.
    drawn = _middles(horizons, number)[days] * size
    drawn //= 2 * FUTURES
    return drawn


@lru_cache(maxsize=2 * SETS)
def _middles(horizons: tuple[int, ...], number: int) -> Places:
    """Middles of the ranks of each day's part in a walk that is drawn from the farthest horizon inwards."""
    points, normal = _points(horizons[-1], number), NormalDist()
    scores = np.array([normal.inv_cdf((rank + 0.5) / FUTURES) for rank in range(FUTURES)])
    walk = {0: np.zeros(FUTURES)}
    between = (day for day in range(1, horizons[-1]) if day not in horizons)
    for day, coordinate in zip((*reversed(horizons), *between), points, strict=True):
        mean, deviation = _bridge(walk, day)
        walk[day] = mean + deviation * scores[_ranked(coordinate)]
    return np.array([2 * _ranked(walk[day] - walk[day - 1]) + 1 for day in range(1, horizons[-1] + 1)])


def _bridge(walk: dict[int, Floats], day: int) -> tuple[Floats, float]:
    """Mean and deviation of a walk on a day, given the nearest days that are known on both sides."""
    before = max(known for known in walk if known < day)
    after = min((known for known in walk if known > day), default=None)
    if after is None:
        return walk[before], sqrt(day - before)
    part = (day - before) / (after - before)
    return (1 - part) * walk[before] + part * walk[after], sqrt(part * (after - day))


def _points(dimensions: int, number: int) -> Floats:
    """Points of shape (n_dimensions, 1024) in the unit cube; `number` is the key of the generator Philox ([5])."""
    shifts = np.random.Generator(np.random.Philox(key=number)).random((dimensions, 1))
    steps = np.sqrt(np.array(list(islice(_primes(), dimensions)), dtype=np.float64))
    steps[0] = 1 / FUTURES
    return (np.arange(FUTURES) * steps[:, None] + shifts) % 1.0


def _primes() -> Iterator[int]:
    return (each for each in count(2) if all(each % divisor for divisor in range(2, int(sqrt(each)) + 1)))


def _ranked(values: Floats) -> Places:
    ranks = np.empty(len(values), dtype=np.intp)
    ranks[values.argsort(kind="stable")] = np.arange(len(values))
    return ranks
