"""How long it takes to sell a holding without being the market.

Owns the rule alone: a fixed part of the usual daily volume, day after day, at no cost.

References
----------
.. [1] Bangia, Diebold, Schuermann, Stroughair, Modeling liquidity risk (1999).
"""

from math import isfinite

from shared.errors import InvalidError, MissingError

PARTICIPATION = 0.1
"""Part of a day's volume that one seller may be, as it is usually assumed."""


def days_to_liquidate(quantity: float, daily_volume: float, participation: float = PARTICIPATION) -> float:
    """Give how many trading days it takes to sell a holding.

    Parameters
    ----------
    quantity : float
        Shares held, from zero.
    daily_volume : float
        Shares that are usually traded in a day.
    participation : float
        Part of them that is sold, above 0 to 1.

    Returns
    -------
    float
        Days, not rounded; zero where nothing is held.

    Raises
    ------
    MissingError
        Something is held and nothing is traded: there is no number of days.
    InvalidError
        A number is NaN, infinite or negative, or the participation is out of range.
    """
    if not (isfinite(quantity) and isfinite(daily_volume) and quantity >= 0 and daily_volume >= 0):
        raise InvalidError(f"{quantity} shares of {daily_volume} a day: not finite and positive")
    if not 0 < participation <= 1:
        raise InvalidError(f"participation: {participation} is not above 0 to 1")
    if quantity == 0:
        return 0.0
    if daily_volume == 0:
        raise MissingError("no volume: it cannot be sold")
    return quantity / (participation * daily_volume)
