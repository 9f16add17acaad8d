"""The regime that a market is in: does it trend, does it range, or is it wilder than it used to be."""

from typing import Literal

type Regime = Literal["trend", "range", "high_volatility"]

WILD_ABOVE, CALM_BELOW = 1.5, 1.25
TREND_ABOVE, RANGE_BELOW = 25.0, 20.0


def regime_of(adx: float, volatility: float, usual_volatility: float, before: Regime | None = None) -> Regime:
    """Give the regime.

    Parameters
    ----------
    adx : float
        Wilder's average directional index, 0 to 100.
    volatility, usual_volatility : float
        Of the last weeks and of the last months, in the same unit.
    before : Regime, optional
        The regime of the bar before: it is left at another threshold than it is entered by, so that a value that
        trembles around one threshold does not change it with every bar.

    Returns
    -------
    Regime
        `high_volatility` from `volatility` = 1.5 times the usual one until it is below 1.25 times; else `trend` from
        `adx` = 25 until it is below 20; else `range`. A market that does not move at all ranges.

    References
    ----------
    Wilder, New Concepts in Technical Trading Systems (1978): 25 and 20 as the bounds of a trend. The bounds of
    volatility are ours: on the four recorded stocks they call about a tenth of the days of 2000-2013 wild.
    """
    wild = CALM_BELOW if before == "high_volatility" else WILD_ABOVE
    if volatility > 0 and volatility >= wild * usual_volatility:
        return "high_volatility"
    return "trend" if adx >= (RANGE_BELOW if before == "trend" else TREND_ABOVE) else "range"
