"""When listed options expire."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

NEW_YORK = "America/New_York"
LEAST_DAYS = 5
_FRIDAY = 4


def closing(day: date) -> datetime:
    """Give the end of trading of a day, 16:00 New York, in UTC."""
    return datetime.combine(day, time(16), ZoneInfo(NEW_YORK)).astimezone(UTC)


def monthly_expiry(as_of: datetime, horizon_days: int) -> datetime:
    """Give the monthly expiry nearest to so many days from `as_of`, but not within five days.

    Notes
    -----
    Monthly options expire with the third Friday's trading. Where that is a holiday (Good Friday in some years) it is
    the day before, which this does not know.
    """
    wanted, month = as_of + timedelta(days=horizon_days), as_of.year * 12 + as_of.month - 1
    fridays = (closing(_third_friday(month + ahead)) for ahead in range(horizon_days // 28 + 3))
    left = [friday for friday in fridays if friday - as_of >= timedelta(days=LEAST_DAYS)]
    return min(left, key=lambda friday: (abs(friday - wanted), friday))


def _third_friday(month: int) -> date:
    # Months since the year 0.
    first = date(month // 12, month % 12 + 1, 1)
    return first + timedelta(days=(_FRIDAY - first.weekday()) % 7 + 14)
