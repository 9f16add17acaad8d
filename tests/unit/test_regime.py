"""The regime: its thresholds, and that it is left later than it is entered."""

import pytest

from shared.quant.regime import Regime, regime_of


@pytest.mark.parametrize(
    ("adx", "times", "before", "regime"),
    [
        (24.9, 1.0, None, "range"),
        (25.0, 1.0, None, "trend"),
        (20.0, 1.0, "trend", "trend"),
        (19.9, 1.0, "trend", "range"),
        (20.0, 1.0, "range", "range"),
        (40.0, 1.5, None, "high_volatility"),
        (40.0, 1.49, "trend", "trend"),
        (40.0, 1.25, "high_volatility", "high_volatility"),
        (40.0, 1.24, "high_volatility", "trend"),
        (10.0, 1.24, "high_volatility", "range"),
    ],
)
def test_regime_when_between_thresholds_depends_on_the_one_before(
    adx: float, times: float, before: Regime | None, regime: Regime
) -> None:
    assert regime_of(adx, 0.2 * times, 0.2, before) == regime


def test_regime_when_nothing_moves_is_a_range() -> None:
    assert regime_of(0.0, 0.0, 0.0, "high_volatility") == "range"
