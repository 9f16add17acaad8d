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
        """Give the bars that closed after `start` and not after `end`; which interval they are of, the file says not.

        Raises
        ------
        InvalidError
            A symbol is not in the file.
        """
        if unknown := sorted(set(symbols) - {bar.symbol for bar in self._bars}):
            raise InvalidError(f"symbols: {', '.join(unknown)} not in the file")
        return [bar for bar in self._bars if start < bar.closed_at <= end and bar.symbol in symbols]

    async def news(self, symbols: tuple[str, ...], start: datetime, end: datetime) -> list[NewsItem]:
        """Give nothing: the file has no headlines."""
        return []

    async def portfolio(self) -> Portfolio | None:
        """Give None: a file has no account."""
        return None


def _read(path: Path) -> list[Bar]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            return _bars(csv.reader(file, strict=True), path)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InvalidError(f"{path}: cannot be read: {error}") from error


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
        moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise InvalidError(f"time: {text} has no offset from UTC, as in 2008-01-02T16:00:00-05:00")
    return moment.astimezone(UTC)


def _check_order(bar: Bar, last: datetime | None) -> None:
    if last is None:
        return
    if bar.closed_at <= last:
        said = "twice" if bar.closed_at == last else "after a later one"
        raise InvalidError(f"{bar.symbol} of {bar.closed_at:%Y-%m-%d %H:%M} comes {said}")
    if bar.closed_at - last > LONGEST_GAP:
        raise InvalidError(f"{bar.symbol} has no bar for {(bar.closed_at - last).days} days before this one")
