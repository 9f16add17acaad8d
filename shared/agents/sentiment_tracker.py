"""The sentiment tracker: scores headlines as they come and keeps a rolling score per symbol, ageing by half-life.

A headline concerns the symbols that its vendor links to it, else those that it names, else the market as a whole
(`MARKET`). It counts full for the one that it names first, and less for those that it names after that. The same words
from several vendors are one story and count once, as of the first. Where an authority acts, that is told as well.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from pydantic import BaseModel, ConfigDict

from shared.agents.decision import Decision
from shared.agents.opinion import Judgment
from shared.agents.own_state import OwnState
from shared.agents.recollection import recollected
from shared.detection import company, regulation
from shared.errors import MissingError
from shared.events.emit import Emit
from shared.events.market import MARKET
from shared.events.news import HeadlineRead, HeadlineScore, NewsReceived, RegulationChanged, Sentiment, SentimentScored
from shared.events.trade import Evidence, TradeRequested
from shared.memory.port import OwnMemory
from shared.quant.decay import decayed

NAME = "sentiment_tracker"
STREAM = "news"
MARKET_SHARE = 0.3
HALF_LIFE_HOURS = 72.0
HEADLINES_KEPT = 8
LEAST_WEIGHT = 0.05
FULL_WEIGHT = 3.0
OBJECT_RELEVANCE = 0.5
"""What a headline counts for a symbol that it names after another: "Google sues Apple" is Google's news first."""


EARLY_READINGS_KEPT = 32
"""Of headlines that are not known yet, or any more."""


class Headline(BaseModel):
    """A scored headline that still counts.

    Attributes
    ----------
    at : datetime
        When the desk came to know it: nothing is judged by it before.
    published_at : datetime
        When it was published, never after `at`: its age counts from here.
    relevance : float
        What it weighs when new: less where it names another symbol first.
    """

    model_config = ConfigDict(frozen=True)

    event: str
    text: str
    score: float
    at: datetime
    published_at: datetime
    relevance: float = 1.0


class Reading(BaseModel):
    """What a language model leaves of a headline's tone.

    Attributes
    ----------
    event : str
        Id of the event that says so.
    keep : float
        0 to 1.
    """

    model_config = ConfigDict(frozen=True)

    event: str
    at: datetime
    keep: float


class SentimentState(BaseModel):
    """The headlines that still count, by symbol, in the order of their publication.

    Attributes
    ----------
    readings : dict of str to Reading
        By the event of the headline, which may come after it.
    """

    model_config = ConfigDict(frozen=True)

    headlines: dict[str, tuple[Headline, ...]] = {}
    readings: dict[str, Reading] = {}


@dataclass(frozen=True, slots=True)
class SentimentDeps:
    """What the sentiment tracker may read."""

    own: OwnState[SentimentState]
    memory: OwnMemory | None = None


async def on_news_received(
    event: NewsReceived, state: SentimentState, _deps: SentimentDeps
) -> Decision[SentimentState]:
    """Score the headline, and emit the new sentiment of each symbol that it concerns."""
    from shared.quant import sentiment  # its model is only needed where headlines are scored

    tone = sentiment.score(f"{event.data.headline}. {event.data.summary}".strip())
    headline = Headline(
        event=event.id,
        text=event.data.headline,
        score=tone.value,
        at=event.time,
        published_at=min(event.time, event.data.published_at),
    )
    symbols = company.linked(event.data)
    later = company.named(event.data.headline)[1:]
    headlines, emits = dict(state.headlines), list[Emit]()
    for ordinal, symbol in enumerate(symbols or (MARKET,)):
        known = headlines.get(symbol, ())
        relevance = OBJECT_RELEVANCE if symbol in later else 1.0
        headlines[symbol] = _ordered((*known, headline.model_copy(update={"relevance": relevance})))
        if headlines[symbol] == known:
            continue
        current = _sentiment(symbol, headlines[symbol], event.time, state.readings)
        emits.append(Emit(SentimentScored.caused_by(event, source=NAME, data=current, ordinal=ordinal)))
    item = event.data.model_copy(update={"symbols": symbols})
    change = regulation.find(item, event.id) if emits else None
    if change is not None:
        emits.append(Emit(RegulationChanged.caused_by(event, source=NAME, data=change)))
    kept = _kept(headlines)
    return Decision(SentimentState(headlines=kept, readings=_of(state.readings, kept)), tuple(emits))


async def on_headline_read(
    event: HeadlineRead, state: SentimentState, _deps: SentimentDeps
) -> Decision[SentimentState]:
    """Shrink a headline's tone where a language model read another, and emit what that changes."""
    if event.data.keep == 1:
        return Decision()
    reading = Reading(event=event.id, at=event.time, keep=event.data.keep)
    readings = _of({**state.readings, event.data.news: reading}, state.headlines)
    concerned = [
        symbol for symbol, known in state.headlines.items() if any(each.event == event.data.news for each in known)
    ]
    emits = [
        Emit(_scored_anew(event, symbol, state.headlines[symbol], readings, ordinal))
        for ordinal, symbol in enumerate(concerned)
    ]
    return Decision(SentimentState(headlines=state.headlines, readings=readings), tuple(emits))


def _scored_anew(
    event: HeadlineRead,
    symbol: str,
    headlines: tuple[Headline, ...],
    readings: Mapping[str, Reading],
    ordinal: int,
) -> SentimentScored:
    # Just after what the newest headline made of it, and after each reading before this one: the view to go by.
    read = sum(headline.event in readings for headline in headlines)
    moment = max(headline.at for headline in headlines) + timedelta(microseconds=read)
    current = _sentiment(symbol, headlines, moment, readings)
    return SentimentScored.caused_by(event, source=NAME, data=current, ordinal=ordinal, time=moment)


async def judge_trade(event: TradeRequested, deps: SentimentDeps) -> Judgment:
    """Support a trade that goes with the news on its symbol and, to a smaller part, on the market.

    Raises
    ------
    MissingError
        There is no recent news on either.
    """
    state = await deps.own.read(STREAM)
    symbol = event.data.symbol
    own, market = (
        _sentiment(name, state.headlines.get(name, ()), event.time, state.readings) for name in (symbol, MARKET)
    )
    if own.weight + market.weight < LEAST_WEIGHT:
        raise MissingError(f"no recent news on {symbol} or the market")
    score = _shrunk(
        _blend(own, market),
        _blend(*(_sentiment(name, state.headlines.get(name, ()), event.time, {}) for name in (symbol, MARKET))),
    )
    judgment = Judgment(
        stance=score if event.data.side == "buy" else -score,
        confidence=max(own.confidence, MARKET_SHARE * market.confidence),
        rationale=f"Sentiment on {symbol} is {own.score:+.2f} ({own.weight:.1f} headlines by age),"
        f" on the market {market.score:+.2f}.",
        evidence=tuple(_evidence(scored) for scored in (*own.headlines[-3:], *market.headlines[-2:])),
    )
    return await recollected(event, judgment, deps.memory)


def _ordered(headlines: tuple[Headline, ...]) -> tuple[Headline, ...]:
    ordered = sorted(headlines, key=lambda headline: (headline.published_at, headline.event))
    first = dict[str, Headline]()
    for headline in ordered:
        first.setdefault(_story(headline.text), headline)
    return tuple(first.values())


def _story(text: str) -> str:
    """Give what two headlines have in common that are the same story: their words, whatever stands between them."""
    return " ".join(re.findall(r"\w+", text.casefold())) or text


def _kept(headlines: dict[str, tuple[Headline, ...]]) -> dict[str, tuple[Headline, ...]]:
    # Aged by the newest headline, not by the one at hand: what is kept must not depend on the order of arrival.
    newest = max(headline.published_at for known in headlines.values() for headline in known)
    young = {
        symbol: tuple(each for each in known[-HEADLINES_KEPT:] if _weight(each, newest) >= LEAST_WEIGHT / 2)
        for symbol, known in headlines.items()
    }
    return {symbol: known for symbol, known in young.items() if known}


def _of(readings: Mapping[str, Reading], headlines: Mapping[str, tuple[Headline, ...]]) -> dict[str, Reading]:
    """Give the readings of headlines that count, and the newest of those that may come yet."""
    known = {headline.event for each in headlines.values() for headline in each}
    early = [event for event in readings if event not in known][-EARLY_READINGS_KEPT:]
    return {event: reading for event, reading in readings.items() if event in known or event in early}


def _shrunk(score: float, before: float) -> float:
    """Give a score that a language model had a part in, held between zero and what it was before."""
    # To shrink one part of a mean may move the mean away from zero, or past it.
    return max(min(score, max(before, 0.0)), min(before, 0.0))


def _weight(headline: Headline, now: datetime) -> float:
    age_hours = (now - headline.published_at).total_seconds() / 3600
    return decayed(headline.relevance, max(0.0, age_hours), HALF_LIFE_HOURS)


def _sentiment(
    symbol: str, headlines: tuple[Headline, ...], now: datetime, readings: Mapping[str, Reading]
) -> Sentiment:
    known = [headline for headline in headlines if headline.at <= now][-HEADLINES_KEPT:]
    scored = tuple(_score(headline, now, readings.get(headline.event)) for headline in known)
    weight = sum(entry.weight for entry in scored)
    score = sum(entry.score * entry.weight for entry in scored) / weight if weight else 0.0
    if any(entry.reading for entry in scored):
        score = _shrunk(score, _sentiment(symbol, headlines, now, {}).score)
    return Sentiment(
        symbol=symbol,
        score=max(-1.0, min(1.0, score)),
        confidence=min(1.0, weight / FULL_WEIGHT),
        weight=weight,
        half_life_hours=HALF_LIFE_HOURS,
        headlines=scored,
    )


def _score(headline: Headline, now: datetime, reading: Reading | None) -> HeadlineScore:
    known = reading if reading is not None and reading.at <= now else None
    return HeadlineScore(
        event=headline.event,
        headline=headline.text,
        score=headline.score if known is None else headline.score * known.keep,
        weight=_weight(headline, now),
        reading=None if known is None else known.event,
    )


def _blend(own: Sentiment, market: Sentiment) -> float:
    mass = own.weight + MARKET_SHARE * market.weight
    return (own.score * own.weight + MARKET_SHARE * market.score * market.weight) / mass


def _evidence(scored: HeadlineScore) -> Evidence:
    return Evidence(name=f"headline ({scored.score:+.2f})", value=scored.headline, event=scored.event)
