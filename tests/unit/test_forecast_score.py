"""The oracle out of sample on the recording, on every tenth day: `make bench ARGS=forecast` takes every day."""

from functools import cache
from itertools import chain

import numpy as np
import pytest
from scipy import integrate, stats

from shared.agents.oracle import HORIZONS_DAYS
from shared.market.recorded import SYMBOLS
from tests.bench.forecast import Score, crps, normal_crps, recorded, scored


@cache
def scores(days: int) -> tuple[Score, ...]:
    """Give the scores of all symbols."""
    return tuple(chain.from_iterable(_scored(symbol)[days] for symbol in SYMBOLS))


@pytest.mark.parametrize("days", HORIZONS_DAYS)
def test_interval_of_90_percent_when_out_of_sample_holds_as_often(days: int) -> None:
    held = np.mean([not (score.below or score.above) for score in scores(days)])
    assert 0.88 <= held <= 0.92


@pytest.mark.parametrize("days", HORIZONS_DAYS)
def test_forecast_when_out_of_sample_scores_better_than_a_random_walk(days: int) -> None:
    assert np.mean([score.crps for score in scores(days)]) < 0.98 * np.mean([score.walk_crps for score in scores(days)])


def test_score_when_the_future_is_another_is_made_of_the_same_forecasts() -> None:
    years, closes = recorded("IBM")
    changed = np.concatenate([closes[:-30], closes[-30:] * 3])
    before, after = scored(years, closes, every=400), scored(years, changed, every=400)
    assert [score.walk_crps == other.walk_crps for score, other in zip(before[1], after[1], strict=True)] == [True] * 5


@pytest.mark.parametrize("outcome", [-0.3, 0.0, 0.07])
def test_crps_when_the_law_is_normal_is_the_integral_of_its_squared_error(outcome: float) -> None:
    law = stats.norm(scale=0.1)
    below, _ = integrate.quad(lambda x: law.cdf(x) ** 2, -2, outcome)
    above, _ = integrate.quad(lambda x: law.sf(x) ** 2, outcome, 2)
    assert normal_crps(0.1, outcome) == pytest.approx(below + above, rel=1e-6)
    sample = law.ppf((np.arange(20_000) + 0.5) / 20_000)
    assert crps(sample, outcome) == pytest.approx(below + above, rel=1e-3)


@cache
def _scored(symbol: str) -> dict[int, list[Score]]:
    return dict(scored(*recorded(symbol), every=10))
