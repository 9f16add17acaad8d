"""Places of draws: the same for a seed, each value as often as another, and even in the sums that matter."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from shared.quant.draw import FUTURES, SETS, places

HORIZONS = (1, 5, 21)
SEEDS = st.integers(0, 2**128 - 1)


@given(SEEDS, st.integers(1, 2_000), st.sampled_from([HORIZONS, (1,), (3,), (2, 7)]))
def test_places_when_drawn_are_of_each_day_and_in_range(seed: int, size: int, horizons: tuple[int, ...]) -> None:
    drawn = places(horizons, size, seed)
    assert drawn.shape == (horizons[-1], FUTURES)
    assert (drawn == places(horizons, size, seed)).all()
    assert drawn.min() >= 0
    assert drawn.max() < size


@given(SEEDS)
def test_places_when_counted_are_as_many_of_each_value_on_every_day(seed: int) -> None:
    for day in places(HORIZONS, FUTURES // 2, seed):
        assert set(np.bincount(day)) == {2}


def test_places_when_summed_to_a_horizon_are_nearly_the_law_of_the_sum() -> None:
    normal = stats.norm.ppf((places(HORIZONS, 100_000, 7) + 0.5) / 100_000)
    for horizon in HORIZONS:
        # By chance it would be about 0.03.
        assert stats.kstest(normal[:horizon].sum(axis=0) / np.sqrt(horizon), "norm").statistic < 0.01


def test_places_when_seeds_differ_in_the_turn_alone_keep_the_sums_to_each_horizon() -> None:
    one, other = places(HORIZONS, FUTURES, 3), places(HORIZONS, FUTURES, 3 + 6 * SETS)
    assert (one != other).any()
    for horizon in HORIZONS:
        assert (one[:horizon].sum(axis=0) == other[:horizon].sum(axis=0)).all()


def test_places_when_days_are_compared_are_not_alike() -> None:
    correlations = np.corrcoef(places(HORIZONS, FUTURES, 11))
    assert np.abs(correlations - np.eye(21)).max() < 0.13
