"""A share's own closes: what they must be to say something of its volatility per year."""

from datetime import datetime, timedelta

from shared.errors import MissingError
from shared.projections.bar import STALE_AFTER, Closes

HISTORY_BARS = 253
LEAST_SPAN = timedelta(days=80)


def check_closes(symbol: str, closes: Closes, as_of: datetime) -> None:
    """Refuse closes that say nothing of a volatility per year now.

    Raises
    ------
    MissingError
        With what is missing.
    """
    if not closes:
        raise MissingError(f"no price of {symbol} is known at all")
    if as_of - closes.moments[-1] > STALE_AFTER:
        raise MissingError(f"no price of {symbol} is known since {closes.moments[-1]:%Y-%m-%d}")
    span = closes.moments[-1] - closes.moments[0]
    if span < LEAST_SPAN:
        raise MissingError(f"the closes of {symbol} span {span.days} days, {LEAST_SPAN.days} are needed")


def span_years(closes: Closes) -> float:
    """Give the years from the first to the last close."""
    return (closes.moments[-1] - closes.moments[0]) / timedelta(days=365.25)
