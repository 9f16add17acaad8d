"""Which stretch of time a question in plain English is about."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

_UNIT_DAYS = {"hour": 1 / 24, "day": 1, "week": 7, "month": 30, "quarter": 91, "year": 365}
_UNIT = "|".join(_UNIT_DAYS)
_MONTHS = re.findall(r"\w+", "january february march april may june july august september october november december")
_MONTH_NAMES = "|".join(f"{name[:3]}(?:{name[3:]})?" for name in _MONTHS)
_SHORT = [name[:3] for name in _MONTHS]
_DATE = r"(?:19|20)\d{2}-\d{2}-\d{2}"
_NUMBERED = re.compile(rf"\b(?:last|past|previous) (\d{{1,4}}) ({_UNIT})s?\b")
_NAMED = re.compile(rf"\b(?:last|past|previous|this) ({_UNIT})\b")
_SINCE = re.compile(rf"\b(?:since|after|from) ({_DATE})\b")
_UNTIL = re.compile(rf"\b(?:until|till|to|before|as of) ({_DATE})\b")
_ON = re.compile(rf"\b(?:on )?({_DATE})\b")
_MONTH = re.compile(rf"\b(since |in |during |of )?({_MONTH_NAMES}),? (?:of )?((?:19|20)\d{{2}})\b")
_YEAR = re.compile(r"\b(since|in|during) ((?:19|20)\d{2})\b")
_AHEAD = re.compile(r"\b(?:tomorrow|next (?:\d{1,4} )?(?:day|week|month|quarter|year)s?)\b")
_FAR_AHEAD = re.compile(r"\bnext (?:(?:\d{1,4} )?(?:quarter|year)s?|\d{1,4} months|(?:\d{2,4}|[5-9]) weeks)\b")
_LONGEST_DAYS = 36_500
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Period:
    """A stretch of time that has passed.

    Attributes
    ----------
    since : datetime or None
        Where the question says from when.
    until : datetime
        Not after the question.
    is_ahead : bool
        Whether it asks of the future.
    gaps : tuple of str
        What of it the desk can say nothing about, each in a sentence.
    """

    since: datetime | None
    until: datetime
    is_ahead: bool = False
    gaps: tuple[str, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Whether there is no moment in it."""
        return self.since is not None and self.since >= self.until


def period_of(text: str, asked_at: datetime) -> Period:
    """Give the stretch of time that a question names, cut at the moment when it was asked; all up to then if none."""
    said = " ".join(text.casefold().split())
    try:
        since, until = _named(said, asked_at)
    except ValueError as error:
        return Period(None, asked_at, _ahead(said), (f"No such date: {error}.",))
    gaps = ["Forecasts reach 21 trading days ahead and no further."] if _FAR_AHEAD.search(said) else []
    if (since or until) > asked_at:
        gaps.append(f"What happens after {asked_at:%Y-%m-%d %H:%M} UTC is not known.")
    return Period(since, min(until, asked_at), _ahead(said), tuple(gaps))


def _named(said: str, now: datetime) -> tuple[datetime | None, datetime]:
    """Give since when, if that is said, and until when; the latter may lie in the future.

    Raises
    ------
    ValueError
        A date that the calendar does not have.
    """
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    if found := _NUMBERED.search(said):
        return now - timedelta(days=min(int(found[1]) * _UNIT_DAYS[found[2]], _LONGEST_DAYS)), now
    if found := _NAMED.search(said):
        return now - timedelta(days=_UNIT_DAYS[found[1]]), now
    if "yesterday" in said:
        return midnight - _DAY, midnight
    if "today" in said:
        return midnight, now
    return _dated(said, now)


def _dated(said: str, now: datetime) -> tuple[datetime | None, datetime]:
    since, until = _SINCE.search(said), _UNTIL.search(said)
    if since or until:
        return since and _date(since[1]), (_date(until[1]) + _DAY) if until else now
    if found := _ON.search(said):
        return _date(found[1]), _date(found[1]) + _DAY
    if found := _MONTH.search(said):
        first = datetime(int(found[3]), _SHORT.index(found[2][:3]) + 1, 1, tzinfo=UTC)
        return first, now if found[1] == "since " else (first + 31 * _DAY).replace(day=1)
    if found := _YEAR.search(said):
        first = datetime(int(found[2]), 1, 1, tzinfo=UTC)
        return first, now if found[1] == "since" else first.replace(year=first.year + 1)
    return None, now


def _date(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text).replace(tzinfo=UTC)
    except ValueError as error:
        raise ValueError(text) from error


def _ahead(said: str) -> bool:
    return _AHEAD.search(said) is not None
