"""The forward of a share as its options price it: put-call parity, read backwards.

References
----------
.. [1] Stoll, The relationship between put and call option prices (1969).
"""

from collections.abc import Sequence
from math import exp, inf, isfinite, log
from statistics import median

from shared.errors import InvalidError, MissingError

MOST_YIELD = 0.2


def implied_dividend_yield(
    pairs: Sequence[tuple[float, float, float]], spot: float, years: float, rate: float, nearest: int = 3
) -> float:
    """Give the dividend yield at which calls and puts agree on the forward.

    Parameters
    ----------
    pairs : sequence of (strike, call, put)
        Prices of calls and puts of one expiry, US dollars per share.
    spot : float
        US dollars per share.
    years : float
        To expiry, above 0.
    rate : float
        Fraction per year, continuous.
    nearest : int
        How many strikes nearest to the spot count, of those that have a forward; their median holds.

    Returns
    -------
    float
        Fraction per year, continuous, cut to 0 to 0.2: American puts are worth more than European ones, and stale
        quotes are worth anything.

    Raises
    ------
    MissingError
        No pair, or none that has a forward.
    InvalidError
        Spot or years are not above 0 and finite.
    """
    if not (0 < spot < inf and 0 < years < inf):
        raise InvalidError(f"a share at {spot} with an expiry in {years} years has no forward")
    forwards = [(strike, strike + (call - put) * exp(rate * years)) for strike, call, put in pairs]
    sound = [(abs(strike - spot), strike, forward) for strike, forward in forwards if isfinite(forward) and forward > 0]
    known = [forward for _, _, forward in sorted(sound)[:nearest]]
    if not known:
        raise MissingError("no strike has both a call and a put that are quoted")
    return min(max(rate - log(median(known) / spot) / years, 0.0), MOST_YIELD)
