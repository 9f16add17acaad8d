"""What a question in plain English is about: symbols, portfolios, trades, topics, and a stretch of time.

By rules alone, the same for whoever asks, and cheap for whatever is written: the text is at most `LONGEST_QUESTION`
characters, each rule reads it once, and what it names is only ever compared with what the desk knows.
"""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import get_args

from shared.agents.research_period import Period, period_of
from shared.detection import company
from shared.events.question import LONGEST_QUESTION, Topic

MOST_NAMED = 5
"""Symbols, portfolios and trades of a question that are looked at, of each."""

TOPICS: Mapping[Topic, tuple[str, ...]] = {
    "trend": ("trend*", "price*", "going", "analy*", "momentum", "rsi", "macd", "technical*", "perform*", "doing"),
    "forecast": ("forecast*", "predict*", "expect*", "outlook", "oracle*", "future", "will", "likely", "probab*"),
    "risk": ("risk*", "var", "shortfall", "exposure*", "volatil*", "drawdown*", "stress*", "limit*", "safe", "lose"),
    "news": ("news", "headline*", "sentiment*", "article*", "stories", "story", "press", "report*", "happen*"),
    "crash": ("crash*", "plunge*", "selloff*", "panic*", "alarm*", "fell", "fall", "drop*", "collapse*"),
    "volume": ("volume*", "whale*", "traded", "block"),
    "regulation": ("regulat*", "sec", "authorit*", "court*", "lawsuit*", "fine", "fined", "fed", "antitrust", "ban*"),
    "decision": ("decision*", "decide*", "consensus", "approve*", "reject*", "veto*", "vote*", "trade", "trades"),
    "rebalance": ("rebalanc*", "alloc*", "optimi*", "weights"),
    "options": ("option*", "call", "calls", "put", "puts", "hedge*", "straddle*", "strangle*", "spread*"),
    "price": ("close", "closed", "closes", "closing", "quote*"),
    "memory": ("remember*", "memor*", "recall*", "learn*", "before"),
    "record": ("record*", "accura*", "grade*", "calibrat*", "track", "hits", "brier", "reliab*", "trust"),
}
"""The words of each topic; a star stands for any ending."""

_TICKER = re.compile(r"(?<![\w$.])[A-Z][A-Z0-9]{0,11}(?:\.[A-Z])?(?![\w$])")
_TICKER_CHARS = range(3, 6)
_TRADE = re.compile(r"(?<![\w-])[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}(?![\w-])", re.IGNORECASE)
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]*")
_WORD = re.compile(r"[a-z0-9]+")
_STOP = frozenset(
    _WORD.findall(
        "a about all an and any are as at be been by can did do does for from give had has have how i in is it its me"
        " my of on or our say says show since so tell than that the their there they this to up us was we what when"
        " where which who why with would you your"
    )
)


@dataclass(frozen=True, slots=True)
class Known:
    """What a question may name, as of its moment: symbols that the desk follows, portfolios of whoever asks."""

    symbols: tuple[str, ...]
    portfolios: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Understood:
    """What a question is about.

    Attributes
    ----------
    symbols : tuple of str
        Those that the desk follows, in the order in which they are named.
    unknown : tuple of str
        Symbols that it names and the desk does not follow.
    portfolios, trades : tuple of str
        Names among those that the asker has; ids that are shaped as those of trades.
    topics : tuple of str
        In the order of the catalogue of topics.
    words : tuple of str
        What else may be compared with a text, in lower case, without words that every text has.
    gaps : tuple of str
        What of it the desk can say nothing about, each in a sentence.
    """

    symbols: tuple[str, ...]
    unknown: tuple[str, ...]
    portfolios: tuple[str, ...]
    trades: tuple[str, ...]
    topics: tuple[Topic, ...]
    period: Period
    words: tuple[str, ...]
    gaps: tuple[str, ...]

    @property
    def is_empty(self) -> bool:
        """Whether it names nothing that the desk knows of."""
        return not (self.symbols or self.unknown or self.portfolios or self.trades or self.topics)


def understand(text: str, asked_at: datetime, known: Known) -> Understood:
    """Read a question.

    Parameters
    ----------
    asked_at : datetime
        Desk time; what it calls today, and the end of whatever it asks for.
    """
    text = text[:LONGEST_QUESTION]
    words = words_of(text)
    named, shaped = company.named(text), tuple(_TICKER.findall(text))
    followed = dict.fromkeys(symbol for symbol in (*named, *shaped) if symbol in known.symbols)
    unknown = tuple(symbol for symbol in named if symbol not in known.symbols)
    period = period_of(text, asked_at)
    gaps = [f"The desk does not follow {symbol}." for symbol in unknown]
    gaps += [f"The desk does not follow {word}, if that is a symbol." for word in _foreign(shaped, followed, text)]
    return Understood(
        symbols=tuple(followed)[:MOST_NAMED],
        unknown=unknown,
        portfolios=_portfolios(text, known.portfolios),
        trades=tuple(dict.fromkeys(found.lower() for found in _TRADE.findall(text)))[:MOST_NAMED],
        topics=_topics((*words, "forecast") if period.is_ahead else words),
        period=period,
        words=words,
        gaps=(*gaps, *period.gaps),
    )


def words_of(text: str) -> tuple[str, ...]:
    """Give the words of a text in lower case, without those that every text has."""
    return tuple(word for word in _WORD.findall(text.casefold()) if word not in _STOP)


def _foreign(shaped: Collection[str], followed: Collection[str], text: str) -> list[str]:
    """Give what looks like a ticker that the desk does not follow; in a text of capitals everything would."""
    if text.isupper():
        return []
    words = (word for word in dict.fromkeys(shaped) if word not in followed and not _topics((word.casefold(),)))
    return [word for word in words if len(word) in _TICKER_CHARS and word.casefold() not in _STOP][:MOST_NAMED]


def _portfolios(text: str, known: Collection[str]) -> tuple[str, ...]:
    named = (found.rstrip(".:") for found in _NAME.findall(text))
    return tuple(dict.fromkeys(name for name in named if name in known))[:MOST_NAMED]


def _topics(words: Collection[str]) -> tuple[Topic, ...]:
    known: tuple[Topic, ...] = get_args(Topic)
    return tuple(topic for topic in known if any(_is(word, stem) for word in words for stem in TOPICS[topic]))


def _is(word: str, stem: str) -> bool:
    return word.startswith(stem[:-1]) if stem.endswith("*") else word == stem


def default_since(period: Period, days: int) -> datetime:
    """Give the beginning of the period, or, where it has none, the moment `days` before its end."""
    return period.until - timedelta(days=days) if period.since is None else period.since
