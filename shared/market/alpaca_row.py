"""What Alpaca's rows mean in our models, and which of them mean nothing."""

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from html import unescape
from typing import Any

from pydantic import TypeAdapter, ValidationError

from shared.errors import InvalidError
from shared.events.catalogue import describe
from shared.events.envelope import Symbol
from shared.events.market import Bar
from shared.events.news import NewsItem
from shared.events.portfolio import Position

logger = logging.getLogger(__name__)

MAX_HEADLINE, MAX_SUMMARY, MAX_SYMBOLS = 500, 5_000, 50
GARBAGE = (KeyError, TypeError, ValueError, AttributeError, OverflowError)
"""What reading a row raises when the row is not what it should be."""

type Row = dict[str, Any]
type Closing = Callable[[datetime], datetime]


@dataclass
class Dropped:
    """What an answer held and we could not use: one line in the log, however much it is."""

    what: str
    first: str = ""
    count: int = 0

    def add(self, row: object, error: Exception) -> None:
        """Count a row, and keep the first with what is wrong with it."""
        self.first = self.first or f"{row!s:.200}: {reason(error)}"
        self.count += 1

    def log(self) -> None:
        """Say so, when there was any."""
        if self.count:
            logger.warning("Alpaca: dropped %d %s, the first %s", self.count, self.what, self.first)


def reason(error: Exception) -> str:
    """Say what is wrong with a row."""
    return describe(error) if isinstance(error, ValidationError) else repr(error)


def rows_of(answer: dict[str, list[Row]], symbols: tuple[str, ...], dropped: Dropped) -> Iterable[tuple[str, Row]]:
    """Give each row with its symbol, of the symbols that were asked for."""
    for symbol, rows in answer.items():
        if symbol not in symbols:
            dropped.add(symbol, InvalidError("not asked for"))
            continue
        yield from ((symbol, row) for row in rows)


def read_bar(symbol: str, row: Row, closing: Closing, dropped: Dropped) -> Bar | None:
    """Give the bar that a row is; `closing` gives the end of an interval by its beginning."""
    try:
        prices = {"open": row["o"], "high": row["h"], "low": row["l"], "close": row["c"]}
        return Bar(symbol=symbol, closed_at=closing(_instant(row["t"])), **prices, volume=row["v"])
    except GARBAGE as error:
        dropped.add(f"of {symbol} {row}", error)
        return None


def _instant(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"{text} has no zone")
    return moment


def read_article(row: Row, dropped: Dropped) -> NewsItem | None:
    """Give the headline that a row is, cut to the lengths of our model."""
    try:
        return NewsItem(
            vendor_id=f"alpaca-{int(row['id'])}",
            headline=_text(row["headline"], MAX_HEADLINE),
            summary=_text(row["summary"] or "", MAX_SUMMARY),
            symbols=tuple(str(symbol) for symbol in _listed(row["symbols"]) if _is_symbol(symbol))[:MAX_SYMBOLS],
            published_at=_instant(row["created_at"]),
            origin="alpaca",
        )
    except GARBAGE as error:
        dropped.add(row, error)
        return None


def _listed(value: object) -> list[object]:
    if value is not None and not isinstance(value, list):
        raise TypeError(f"{value!r:.50} is no list")
    return value or []


def _text(raw: str, length: int) -> str:
    # Benzinga's texts come with HTML entities such as &#39;.
    return unescape(raw).strip()[:length]


def _is_symbol(text: object) -> bool:
    try:
        return bool(TypeAdapter(Symbol).validate_python(text))
    except ValidationError:
        return False


def read_cash(account: Row) -> float:
    """Give the cash in US dollars; borrowed cash counts as none."""
    cash = float(account["cash"])
    if cash < 0:
        logger.warning("Alpaca: cash is %s US dollars, borrowed on margin, and counts as 0", cash)
    return max(cash, 0.0)


def is_long_stock(row: Row) -> bool:
    """Whether a position is one that our portfolios can hold; another one is logged."""
    if row["asset_class"] == "us_equity" and row["side"] == "long":
        return True
    logger.warning("Alpaca: left out the %s position of %s (%s)", row["side"], row["symbol"], row["asset_class"])
    return False


def read_position(row: Row) -> Position:
    """Give a holding of stock."""
    paid = float(row["avg_entry_price"] or 0)
    return Position(symbol=row["symbol"], quantity=row["qty"], average_price=paid or None)
