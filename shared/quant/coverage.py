"""Whether a value at risk holds as often as it says: Kupiec's and Christoffersen's likelihood ratio tests.

Owns the tests alone; whoever has a history of forecasts says on which days the loss exceeded them.

References
----------
.. [1] Kupiec, Techniques for verifying the accuracy of risk measurement models (1995).
.. [2] Christoffersen, Evaluating interval forecasts (1998).
"""

from dataclasses import dataclass
from math import erfc, exp, log, sqrt

import numpy as np
from numpy.typing import NDArray

from shared.errors import InvalidError, MissingError

type Hits = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class LikelihoodRatio:
    """The outcome of a test.

    Attributes
    ----------
    statistic : float
        Twice the log of the likelihood ratio, from 0.
    p_value : float
        Probability of a statistic at least as large where the model is right, asymptotically.
    """

    statistic: float
    p_value: float


def kupiec(hits: Hits, level: float) -> LikelihoodRatio:
    """Test that losses exceed the value at risk with probability `1 - level` ([1]; unconditional coverage in [2]).

    Parameters
    ----------
    hits : ndarray of bool, shape (n_days,)
        Whether the day's loss exceeded the value at risk that was forecast for it.
    level : float
        Confidence of the value at risk, between 0 and 1.

    Raises
    ------
    MissingError
        There is no day.
    InvalidError
        The hits are not boolean and one-dimensional, or the level is out of range.
    """
    days = _checked(hits, 1)
    if not 0 < level < 1:
        raise InvalidError(f"level: {level} is not between 0 and 1")
    count = int(days.sum())
    expected = _log_likelihood(count, days.size - count, 1.0 - level)
    return _of_one_degree(2 * (_best(count, days.size - count) - expected))


def christoffersen(hits: Hits) -> LikelihoodRatio:
    """Test that a day is a hit as often after a hit as after none: that hits do not cluster (independence in [2]).

    Parameters
    ----------
    hits : ndarray of bool, shape (n_days,)
        In the order of the days.

    Returns
    -------
    LikelihoodRatio
        Against a first-order Markov chain; 0 and 1 where there is no hit, or nothing else.

    Raises
    ------
    MissingError
        Fewer than two days.
    InvalidError
        The hits are not boolean and one-dimensional.
    """
    days = _checked(hits, 2)
    before, after = days[:-1], days[1:]
    apart = _best(*_counts(after[before])) + _best(*_counts(after[~before]))
    return _of_one_degree(2 * (apart - _best(*_counts(after))))


def conditional_coverage(hits: Hits, level: float) -> LikelihoodRatio:
    """Test both at once: the sum of the two statistics, with two degrees of freedom ([2]).

    Parameters
    ----------
    hits, level
        As in `kupiec`.

    Raises
    ------
    MissingError, InvalidError
        As in `kupiec` and `christoffersen`.
    """
    statistic = kupiec(hits, level).statistic + christoffersen(hits).statistic
    return LikelihoodRatio(statistic, exp(-statistic / 2))


def _checked(hits: Hits, least: int) -> Hits:
    days = np.asarray(hits)
    if days.dtype != np.bool_ or days.ndim != 1:
        raise InvalidError(f"hits: {days.dtype} in {days.ndim} dimensions, not bool in one")
    if days.size < least:
        raise MissingError(f"hits: {days.size} days, {least} needed")
    return days


def _counts(days: Hits) -> tuple[int, int]:
    count = int(days.sum())
    return count, days.size - count


def _best(hits: int, others: int) -> float:
    return _log_likelihood(hits, others, hits / (hits + others)) if hits and others else 0.0


def _log_likelihood(hits: int, others: int, probability: float) -> float:
    return hits * log(probability) + others * log(1.0 - probability)


def _of_one_degree(statistic: float) -> LikelihoodRatio:
    # A rounding error may leave a little less than nothing.
    positive = max(0.0, statistic)
    return LikelihoodRatio(positive, erfc(sqrt(positive / 2)))
