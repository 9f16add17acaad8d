"""Ageing by half-life: how much of an observation's weight is left, for rolling scores such as news sentiment."""

from math import isfinite

from shared.errors import InvalidError


def decayed(weight: float, age_hours: float, half_life_hours: float) -> float:
    """Give what is left of a weight: half of it after each half-life.

    Parameters
    ----------
    weight : float
        The weight when fresh, in any unit; the result has the same.
    age_hours : float
        Zero or more: an observation from the future is refused, not boosted.
    half_life_hours : float
        More than zero.

    Returns
    -------
    float
        ``weight * 0.5 ** (age_hours / half_life_hours)``; zero once it is too small for a float.

    Raises
    ------
    InvalidError
        An argument is NaN, infinite or outside its range.
    """
    if not (isfinite(weight) and isfinite(age_hours) and isfinite(half_life_hours)):
        raise InvalidError(f"not finite: weight {weight}, age {age_hours} h, half-life {half_life_hours} h")
    if age_hours < 0 or half_life_hours <= 0:
        raise InvalidError(f"age {age_hours} h must not be negative, half-life {half_life_hours} h must be positive")
    return float(weight * 0.5 ** (age_hours / half_life_hours))
