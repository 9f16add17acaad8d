"""Which symbols a headline names: by a cashtag, by an exchange's notation, or by the usual name of a company.

Owns the patterns and the table `company.csv`, which was written by hand from the names under which the companies file
with the SEC and those that headlines use. A name that is also a word ("target", "gap") stands there only in a form that
is nothing else ("Target Corp"); the columns `before` and `after` list words beside which a name is not the company
("apple pie"). The text is untrusted: at most `MAX_CHARS` of it are read, and at most `MOST` symbols found.
"""

import csv
import re
from functools import cache
from pathlib import Path

from shared.errors import MissingError
from shared.events.news import NewsItem

MAX_CHARS = 500
MOST = 5
TABLE = Path(__file__).with_name("company.csv")
_TICKER = r"[A-Z]{1,5}(?:\.[A-Z])?(?![\w$])"
_CASHTAG = rf"(?<![\w$])\$(?P<tag>{_TICKER})"
_LISTED = rf"(?<![\w$])(?:NYSE(?: American| Arca)?|(?i:nasdaq)(?:GS|GM|CM)?|AMEX)\s?:\s?(?P<listed>{_TICKER})"
_CURRENCIES = frozenset({"A", "AUD", "B", "BN", "CAD", "HK", "K", "M", "MM", "MN", "NZ", "NZD", "US", "USD"})
"""What follows a dollar sign and is a currency or an amount, not a ticker."""

type _Name = tuple[str, frozenset[str], frozenset[str]]


def linked(item: NewsItem) -> tuple[str, ...]:
    """Give the symbols of a headline, each once: the vendor's where there are any, else those that it names, in order.

    Raises
    ------
    MissingError
        The table of names is not there.
    """
    return tuple(dict.fromkeys(item.symbols)) or named(item.headline)


def named(headline: str) -> tuple[str, ...]:
    """Give the symbols that a headline names, in the order in which it first names them; empty where it names none.

    Raises
    ------
    MissingError
        The table of names is not there.
    """
    text = headline[:MAX_CHARS].replace("’", "'")
    found = (_symbol(match, text) for match in _pattern().finditer(text))
    return tuple(dict.fromkeys(symbol for symbol in found if symbol))[:MOST]


def _symbol(match: re.Match[str], text: str) -> str | None:
    if ticker := match["tag"] or match["listed"]:
        return ticker if match["listed"] or ticker not in _CURRENCIES else None
    symbol, before, after = _names()[match["name"]]
    left = re.findall(r"[\w']+", text[: match.start()])[-1:]
    right = re.findall(r"^\s+([\w']+)", text[match.end() :])
    other = before.intersection(map(str.casefold, left)) or after.intersection(map(str.casefold, right))
    return None if other else symbol


@cache
def _names() -> dict[str, _Name]:
    try:
        with TABLE.open(newline="", encoding="utf-8") as lines:
            rows = [(row["name"], (row["symbol"], *_beside(row))) for row in csv.DictReader(lines)]
    except OSError as e:
        raise MissingError(f"no table of companies at {TABLE.name}") from e
    return {form: row for name, row in rows for form in (name, name.upper())}


def _beside(row: dict[str, str]) -> tuple[frozenset[str], frozenset[str]]:
    return frozenset(row["before"].casefold().split(",")), frozenset(row["after"].casefold().split(","))


@cache
def _pattern() -> re.Pattern[str]:
    choice = "|".join(re.escape(name) for name in sorted(_names(), key=lambda name: (-len(name), name)))
    return re.compile(rf"{_CASHTAG}|{_LISTED}|(?<![\w$@/.-])(?P<name>{choice})(?![\w-]|\.\w)")
