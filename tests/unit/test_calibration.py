"""How probabilities are scored, and what weight a record earns."""

import math
from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.quant.calibration import PRIOR, brier, probability, skill, weight

SHARES = st.floats(0, 1)


def test_brier_when_averaged_is_numpys_mean_squared_error() -> None:
    random = Random(1)
    said = [random.random() for _ in range(200)]
    happened = [random.random() < each for each in said]
    ours = np.mean([brier(each, happened=outcome) for each, outcome in zip(said, happened, strict=True)])
    assert ours == pytest.approx(float(np.mean((np.array(said) - np.array(happened, dtype=float)) ** 2)), rel=1e-12)


@given(st.floats(-1, 1), SHARES)
def test_probability_when_a_stance_is_turned_round_is_the_other_outcomes(stance: float, confidence: float) -> None:
    assert 0 <= probability(stance, confidence) <= 1
    assert probability(-stance, confidence) == pytest.approx(1 - probability(stance, confidence))
    assert probability(0, confidence) == probability(stance, 0) == 0.5


@pytest.mark.parametrize(
    ("count", "score", "expected"), [(0, 0.9, 0.0), (50, 0.25, 0.0), (50, 0.0, 0.5), (50, 1.0, -1.5)]
)
def test_skill_when_few_outcomes_are_known_is_shrunk_to_none(count: int, score: float, expected: float) -> None:
    assert skill(count, score) == pytest.approx(expected)


@given(st.integers(0, 10_000), SHARES, st.floats(-3, 1))
def test_skill_when_outcomes_come_lies_between_the_prior_and_what_they_say(
    count: int, score: float, prior: float
) -> None:
    bounds = sorted((prior, 1 - score / 0.25 if count else 0.0))
    found = skill(count, score, prior)
    assert found == pytest.approx((count * (1 - 4 * score) + PRIOR * prior) / (count + PRIOR), abs=1e-9)
    assert not count or bounds[0] - 1e-9 <= found <= bounds[1] + 1e-9


@pytest.mark.parametrize(("known", "earned"), [(0.0, 1.0), (0.1, math.e), (-0.1, 1 / math.e), (1.0, 4.0), (-3.0, 0.25)])
def test_weight_when_skill_is_known_is_bounded(known: float, earned: float) -> None:
    assert weight(known) == pytest.approx(earned)
