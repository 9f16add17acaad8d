"""Bars from a CSV file, as a market source: read whole and checked before the first is given, with the row named."""

import csv
from collections.abc import Iterable
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

from pydantic import ValidationError

from shared.errors import InvalidError
from shared.events.catalogue import describe
from shared.events.market import Bar, Interval
from shared.events.news import NewsItem
from shared.events.portfolio import Portfolio
from shared.events.replay import NEW_YORK

COLUMNS = ("symbol", "time", "open", "high", "low", "close", "volume")
LONGEST_GAP = timedelta(days=10)
"""No market rests for so long: something is missing."""


class CsvMarketSource:
    """A `MarketSource` of a file with the columns `COLUMNS`, one bar a row, each symbol's in the order of time.

    `time` is a day, whose bar closes at 16:00 in New York, or the bar's close with its offset from UTC.

    Raises
    ------
    InvalidError
        The file cannot be read, or a row is no bar: unknown or missing columns, no zone, a price that is not above 0,
        a time that is not after the symbol's last, or more than `LONGEST_GAP` after it. The row is named.
    """

    def __init__(self, path: Path) -> None:
        self._bars = _read(path)

    async def bars(self, symbols: tuple[str, ...], interval: Interval, start: datetime, end: datetime) -> list[Bar]:
        """Give the bars that closed after `start` and not after `end`.

        Raises
        ------
        InvalidError
            A symbol is not in the file, or has two bars of a day where they are to be daily.
        """
        if unknown := sorted(set(symbols) - {bar.symbol for bar in self._bars}):
            raise InvalidError(f"symbols: {', '.join(unknown)} not in the file")
        found = [bar for bar in self._bars if start < bar.closed_at <= end and bar.symbol in symbols]
        if interval == "1Day":
            _check_days(found)
        return found

    async def news(self, symbols: tuple[str, ...], start: datetime, end: datetime) -> list[NewsItem]:
        """Give nothing: the file has no headlines."""
        return []

    async def portfolio(self) -> Portfolio | None:
        """Give None: a file has no account."""
        return None


def _read(path: Path) -> list[Bar]:
    try:
        body = path.read_bytes()
        rows = csv.reader(body.decode("utf-8-sig").splitlines(keepends=True), strict=True)
    except OSError as error:
        raise InvalidError(f"{path}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        row = error.object.count(b"\n", 0, error.start) + 1
        raise InvalidError(f"{path} row {row}: cannot be read: this is no text in UTF-8") from error
    try:
        return _bars(rows, path)
    except csv.Error as error:
        raise InvalidError(f"{path} row {rows.line_num}: cannot be read: {error}") from error


def _bars(rows: Iterable[list[str]], path: Path) -> list[Bar]:
    numbered = enumerate(rows, start=1)
    header = tuple(name.strip().lower() for name in next(numbered, (1, []))[1])
    if sorted(header) != sorted(COLUMNS):
        raise InvalidError(f"{path} row 1: the columns must be {', '.join(COLUMNS)}, not {', '.join(header) or 'none'}")
    bars, last = list[Bar](), dict[str, datetime]()
    for number, row in numbered:
        try:
            bar = _bar(header, row)
            _check_order(bar, last.get(bar.symbol))
        except (InvalidError, ValueError) as error:
            reason = describe(error) if isinstance(error, ValidationError) else str(error)
            raise InvalidError(f"{path} row {number}: {reason}") from error
        last[bar.symbol] = bar.closed_at
        bars.append(bar)
    return sorted(bars, key=lambda bar: (bar.closed_at, bar.symbol))


def _bar(header: tuple[str, ...], row: list[str]) -> Bar:
    if len(row) != len(header):
        raise InvalidError(f"has {len(row)} values, not {len(header)}")
    values = dict(zip(header, (value.strip() for value in row), strict=True))
    closed_at = _moment(values.pop("time"))
    return Bar.model_validate({**values, "closed_at": closed_at})


def _moment(text: str) -> datetime:
    try:
        return datetime.combine(date.fromisoformat(text), time(16), NEW_YORK).astimezone(UTC)
    except ValueError:
        return _instant(text)


def _instant(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is None:
            raise InvalidError(f"time: {text} has no offset from UTC, as in 2008-01-02T16:00:00-05:00")
        return moment.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise InvalidError(
            f"time: {text[:40]!r} is neither a day such as 2008-01-02 nor a time with its zone"
        ) from error


def _check_days(bars: Iterable[Bar]) -> None:
    last = dict[str, datetime]()
    for bar in bars:
        before, last[bar.symbol] = last.get(bar.symbol), bar.closed_at
        if before is not None and before.astimezone(NEW_YORK).date() == bar.closed_at.astimezone(NEW_YORK).date():
            raise InvalidError(
                f"interval: bars of {bar.symbol} at {before:%Y-%m-%d %H:%M} and {bar.closed_at:%H:%M} UTC are no 1Day"
            )


def _check_order(bar: Bar, last: datetime | None) -> None:
    if last is None:
        return
    if bar.closed_at <= last:
        said = "twice" if bar.closed_at == last else "after a later one"
        raise InvalidError(f"{bar.symbol} of {bar.closed_at:%Y-%m-%d %H:%M} comes {said}")
    if bar.closed_at - last > LONGEST_GAP:
        raise InvalidError(f"{bar.symbol} has no bar for {(bar.closed_at - last).days} days before this one")
