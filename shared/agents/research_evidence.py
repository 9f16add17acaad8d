"""Gathers what the desk knows of a question: everything as of the question, each piece with the events it rests on.

Nothing is concluded here. Whoever writes an answer is given these pieces and nothing else.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime

from shared.agents.research_question import MOST_NAMED, Known, Understood, default_since
from shared.agents.sentence import remembered, sentence, vote
from shared.detection import company
from shared.events.catalogue import decode
from shared.events.envelope import Event
from shared.events.forecast import ForecastPublished
from shared.events.market import MARKET, MarketCrashDetected, MarketWhaleDetected
from shared.events.news import NewsReceived, RegulationChanged, SentimentScored
from shared.events.options import OptionsSuggested
from shared.events.question import LONGEST_SENTENCE, Topic
from shared.events.trade import ConsensusReached, OpinionGraded, TradeRequested
from shared.memory.memory import Scope
from shared.memory.port import Recalling
from shared.projections.happening import Happenings
from shared.projections.view import Views
from shared.store.port import EventStore
from shared.watchlist import Watchlist

ANALYST, ORACLE, TRACKER = "market_analyst", "oracle", "sentiment_tracker"
RISK, OPTIMIZER = "risk_manager", "portfolio_optimizer"
TRADE = "trade"
VOTERS = (ANALYST, ORACLE, RISK, TRACKER)
MOST_REMEMBERED = 3
"""Of each voter, what comes up."""
LOOK_BACK_DAYS = 30
"""How far back is looked where the question does not say."""
MOST_SUBJECTS = 10
"""Symbols that are looked at where the question names none."""
MOST_DECISIONS = 20
OVERVIEW: tuple[Topic, ...] = ("trend", "forecast", "news", "crash", "regulation")
"""What is told of a symbol where the question names no topic."""
OF_PORTFOLIOS: tuple[Topic, ...] = ("risk", "rebalance")


@dataclass(frozen=True, slots=True)
class Piece:
    """A sentence that events say, not yet weighed against the question.

    Attributes
    ----------
    events : tuple of str
        Ids of the events that it rests on, at least one.
    at : datetime
        When the latest of them happened.
    """

    topic: Topic
    subject: str
    text: str
    events: tuple[str, ...]
    at: datetime


@dataclass(frozen=True, slots=True)
class Gathered:
    """All that is known of a question, and what is not, each in a sentence."""

    pieces: tuple[Piece, ...]
    gaps: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Sources:
    """What is read: read models, agents' memories, and of the log the trades that a decision names."""

    views: Views
    happenings: Happenings
    store: EventStore
    watchlist: Watchlist
    memories: Recalling | None = None


@dataclass(frozen=True, slots=True)
class _Scope:
    """A question as the sources are asked it."""

    asked: Understood
    owner: str | None
    since: datetime
    until: datetime


type _Source = Callable[[Sources, _Scope, str], Awaitable[list[Piece]]]


async def gather(asked: Understood, owner: str | None, known: Known, sources: Sources) -> Gathered:
    """Read what is known of a question as of its moment; of owners' matters only its owner's.

    Parameters
    ----------
    owner : str or None
        Who asks; None is the desk itself.
    known : Known
        What is looked at where the question names nothing.
    """
    if asked.is_empty or asked.period.is_empty:
        return Gathered((), asked.gaps)
    scope = _Scope(asked, owner, default_since(asked.period, LOOK_BACK_DAYS), asked.period.until)
    wanted = [(topic, subject) for topic in _topics(asked) for subject in _subjects(topic, asked, known)]
    found = await asyncio.gather(*(_GATHER[topic](sources, scope, subject) for topic, subject in wanted))
    told = {asking for asking, pieces in zip(wanted, found, strict=True) if pieces}
    pieces = {piece.text: piece for pieces in reversed(found) for piece in pieces}
    gaps = _gaps(scope, wanted, told)
    if not asked.symbols and len(known.symbols) > MOST_SUBJECTS and any(each in known.symbols for _, each in wanted):
        gaps.append(f"Only {MOST_SUBJECTS} of the {len(known.symbols)} symbols were looked at, as none was named.")
    return Gathered(tuple(pieces.values()), (*asked.gaps, *gaps))


def _topics(asked: Understood) -> tuple[Topic, ...]:
    topics: tuple[Topic, ...] = asked.topics
    if not topics:
        topics = (OVERVIEW if asked.symbols else ()) + (OF_PORTFOLIOS if asked.portfolios else ())
    return topics if "decision" in topics or not asked.trades else (*topics, "decision")


def _subjects(topic: Topic, asked: Understood, known: Known) -> tuple[str, ...]:
    if topic in OF_PORTFOLIOS:
        own = asked.portfolios or known.portfolios[:MOST_NAMED]
        return (*own, *(asked.symbols if topic == "risk" else ()))
    if topic == "decision":
        return (TRADE,)
    if topic == "record":
        return (ANALYST, ORACLE, TRACKER)
    if asked.unknown and not asked.symbols:
        return ()  # what is known of others would answer another question
    symbols = asked.symbols or known.symbols[:MOST_SUBJECTS]
    return (*symbols, MARKET) if topic in ("news", "crash", "regulation") else symbols


def _gaps(scope: _Scope, wanted: Collection[tuple[Topic, str]], told: Collection[tuple[Topic, str]]) -> list[str]:
    """Say on what nothing is known: on a topic at all, or on it of what the question names."""
    asked, gaps = scope.asked, list[str]()
    if asked.symbols and not asked.topics:
        gaps.append(f"No topic was recognised; this is what the desk knows of {', '.join(asked.symbols)} in general.")
    for topic in asked.topics or (("decision",) if asked.trades else ()):
        of = [subject for each, subject in wanted if each == topic and (each, subject) not in told]
        named = [subject for subject in of if subject in (*asked.symbols, *asked.portfolios)]
        if named or not any(each == topic for each, _ in told):
            about = f" of {', '.join(named)}" if named else ""
            gaps.append(f"Nothing is known on {topic}{about} as of {scope.until:%Y-%m-%d %H:%M} UTC.")
    return gaps


def _piece(topic: Topic, subject: str, event: Event, text: str, *further: str) -> Piece:
    return Piece(topic, subject, text[:LONGEST_SENTENCE], (event.id, *further), event.time)


async def _latest(sources: Sources, agent: str, subject: str, at: datetime, owner: str | None = None) -> Event | None:
    body = await sources.views.latest(agent, subject, at, owner)
    return None if body is None else decode(body)


async def _trend(sources: Sources, scope: _Scope, symbol: str) -> list[Piece]:
    analysis = await _latest(sources, ANALYST, symbol, scope.until)
    pieces = [] if analysis is None else [_piece("trend", symbol, analysis, sentence(analysis))]
    return pieces + await _moved(sources, scope, symbol)


async def _moved(sources: Sources, scope: _Scope, symbol: str) -> list[Piece]:
    """Tell what the price did since the beginning of the stretch, by the closes that two forecasts were made from."""
    before = await _latest(sources, ORACLE, symbol, scope.since)
    after = await _latest(sources, ORACLE, symbol, scope.until)
    if not isinstance(before, ForecastPublished) or not isinstance(after, ForecastPublished) or before.id == after.id:
        return []
    first, last = before.data.forecasts[0], after.data.forecasts[0]
    text = (
        f"{symbol} went from {first.close:,.2f} USD on {first.prices_as_of:%Y-%m-%d} to {last.close:,.2f} USD on"
        f" {last.prices_as_of:%Y-%m-%d}, {last.close / first.close - 1:+.1%}."
    )
    return [_piece("trend", symbol, after, text, before.id)]


async def _price(sources: Sources, scope: _Scope, symbol: str) -> list[Piece]:
    """Tell the last close, and the one at the beginning of the stretch, as forecasts were made from them."""
    found = [await _latest(sources, ORACLE, symbol, moment) for moment in (scope.until, scope.since)]
    published = {each.id: each for each in found if isinstance(each, ForecastPublished)}
    return [_close(symbol, each) for each in published.values()]


def _close(symbol: str, published: ForecastPublished) -> Piece:
    last = published.data.forecasts[0]
    text = f"{symbol} closed at {last.close:,.2f} USD on {last.prices_as_of:%Y-%m-%d}."
    return _piece("price", symbol, published, text, *last.evidence[-1:])


async def _memory(sources: Sources, scope: _Scope, symbol: str) -> list[Piece]:
    """Tell what each voter remembers of the symbol for whoever asks."""
    found = (
        []
        if sources.memories is None
        else [
            recalled.memory
            for agent in VOTERS
            for recalled in await sources.memories.recall(
                Scope(agent, scope.owner), symbol, scope.until, MOST_REMEMBERED
            )
            if recalled.memory.symbol == symbol
        ]
    )
    return [Piece("memory", symbol, remembered(each), (each.event,), each.known_at) for each in found]


async def _forecast(sources: Sources, scope: _Scope, symbol: str) -> list[Piece]:
    published = await _latest(sources, ORACLE, symbol, scope.until)
    return [] if published is None else [_piece("forecast", symbol, published, sentence(published, symbol))]


async def _risk(sources: Sources, scope: _Scope, subject: str) -> list[Piece]:
    if subject in scope.asked.symbols:
        published = await _latest(sources, ORACLE, subject, scope.until)
        return [] if published is None else [_piece("risk", subject, published, sentence(published, subject))]
    assessed = await _latest(sources, RISK, subject, scope.until, scope.owner)
    about = scope.asked.symbols or (None,)
    return [] if assessed is None else [_piece("risk", subject, assessed, sentence(assessed, about[0]))]


async def _rebalance(sources: Sources, scope: _Scope, portfolio: str) -> list[Piece]:
    suggested = await _latest(sources, OPTIMIZER, portfolio, scope.until, scope.owner)
    return [] if suggested is None else [_piece("rebalance", portfolio, suggested, sentence(suggested))]


async def _news(sources: Sources, scope: _Scope, symbol: str) -> list[Piece]:
    headlines = await sources.happenings.read(NewsReceived, symbol, scope.until, after=scope.since)
    if symbol == MARKET and scope.asked.symbols:
        named = set(scope.asked.symbols)
        headlines = [each for each in headlines if named.intersection(company.named(each.data.headline))]
    pieces = [_piece("news", symbol, each, sentence(each)) for each in headlines]
    scored = await _latest(sources, TRACKER, symbol, scope.until)
    if not isinstance(scored, SentimentScored) or scored.time <= scope.since:
        return pieces
    return [*pieces, _piece("news", symbol, scored, sentence(scored), *(each.event for each in scored.data.headlines))]


def _happened(topic: Topic, kind: type[Event]) -> _Source:
    async def gather(sources: Sources, scope: _Scope, symbol: str) -> list[Piece]:
        """Give what happened to the symbol within the scope, a piece each."""
        found = await sources.happenings.read(kind, symbol, scope.until, after=scope.since)
        return [_piece(topic, symbol, event, sentence(event)) for event in found]

    return gather


async def _options(sources: Sources, scope: _Scope, symbol: str) -> list[Piece]:
    found = await sources.happenings.read(OptionsSuggested, symbol, scope.until, owner=scope.owner, limit=3)
    return [_piece("options", symbol, event, sentence(event)) for event in found]


async def _record(sources: Sources, scope: _Scope, agent: str) -> list[Piece]:
    found = await sources.happenings.read(OpinionGraded, agent, scope.until, owner=scope.owner, limit=1)
    return [_piece("record", agent, event, sentence(event)) for event in found]


async def _decisions(sources: Sources, scope: _Scope, step: str) -> list[Piece]:
    found = await sources.happenings.read(
        ConsensusReached, step, scope.until, owner=scope.owner, after=scope.asked.period.since, limit=MOST_DECISIONS
    )
    told = await asyncio.gather(*(_decision(sources, scope, event) for event in reversed(found)))
    return [piece for pieces in told for piece in pieces]


async def _decision(sources: Sources, scope: _Scope, reached: ConsensusReached) -> list[Piece]:
    """Tell of a decision on what the question names: what was asked, what came of it, and each vote."""
    body = await sources.store.get(reached.data.trigger, reached.stream)
    request = None if body is None else decode(body)
    if not isinstance(request, TradeRequested):
        return []
    symbol, asked = request.data.symbol, scope.asked
    if (asked.trades and request.id not in asked.trades) or (asked.symbols and symbol not in asked.symbols):
        return []
    votes = [_piece("decision", symbol, reached, vote(each), each.opinion) for each in reached.data.votes]
    whole = f"{sentence(request)} {sentence(reached)}"
    return [_piece("decision", symbol, reached, whole, request.id), *votes]


_GATHER: Mapping[Topic, _Source] = {
    "trend": _trend,
    "forecast": _forecast,
    "risk": _risk,
    "news": _news,
    "crash": _happened("crash", MarketCrashDetected),
    "volume": _happened("volume", MarketWhaleDetected),
    "regulation": _happened("regulation", RegulationChanged),
    "decision": _decisions,
    "rebalance": _rebalance,
    "options": _options,
    "record": _record,
    "price": _price,
    "memory": _memory,
}
