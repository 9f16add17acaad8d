"""How good a forecaster's probabilities were, and how much weight that earns.

References
----------
Brier, Verification of forecasts expressed in terms of probability (1950). The shrinkage is that of a normal mean with a
normal prior of weight `PRIOR`; the exponential is that of weighted majority (Littlestone and Warmuth, 1994).
"""

import math

COIN = 0.25
"""Brier score of whoever says 50 % each time."""
PRIOR = 50.0
"""Outcomes whose weight the prior has: that an agent is as good as a coin, or in a regime as good as elsewhere."""
STEEPNESS = 10.0
LEAST_WEIGHT, MOST_WEIGHT = 0.25, 4.0


def probability(stance: float, confidence: float) -> float:
    """Give the probability that a stance of -1 to +1 at a confidence of 0 to 1 says: 0.5 where either is 0."""
    return (1 + stance * confidence) / 2


def brier(probability: float, *, happened: bool) -> float:
    """Give the squared error of a probability, 0 (right and sure) to 1 (wrong and sure)."""
    return (probability - happened) ** 2


def skill(count: int, mean_brier: float, prior_skill: float = 0.0) -> float:
    """Give what is believed of a forecaster's skill, 1 - Brier / 0.25, when `count` outcomes are known.

    Parameters
    ----------
    count : int
        Outcomes, 0 or more.
    mean_brier : float
        Their mean score, 0 to 1; without outcomes it does not matter.
    prior_skill : float
        What is believed before the first outcome.

    Returns
    -------
    float
        From -3 (always wrong and sure) to 1; the prior counts as `PRIOR` outcomes.
    """
    own = 1 - mean_brier / COIN if count else 0.0
    return (count * own + PRIOR * prior_skill) / (count + PRIOR)


def weight(skill: float) -> float:
    """Give the weight that a skill earns: 1 for none, e times more for each 0.1, from 0.25 to 4."""
    return min(MOST_WEIGHT, max(LEAST_WEIGHT, math.exp(min(STEEPNESS * skill, 10.0))))
