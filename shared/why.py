"""Why a trade was decided as it was: its events, the numbers that each opinion rests on, and where those come from.

A graph whose edges lead from what was concluded to what it rests on, down to the bars, headlines and portfolios that
began it. What the caller may not read is to it as if it were not there.
"""

import asyncio
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from pydantic import BaseModel

from shared.agents.sentence import quoted, sentence
from shared.callers.asked import asked
from shared.callers.caller import Caller
from shared.events.catalogue import decode
from shared.events.envelope import Event, Token, UtcTime
from shared.events.forecast import ForecastPublished
from shared.events.news import RegulationChanged, SentimentScored
from shared.events.trade import ConsensusReached, Evidence, OpinionFormed, TradeRequested
from shared.store.port import EventStore, Filter

MOST_STORY = 200
"""Events of the trade itself that are looked at."""
MOST_FOLLOWED = 100
"""Further events that are looked up."""
MOST_STEPS = 5
"""How far from the trade's own events they may lie."""

Kind = Literal["cause", "vote", "evidence", "origin"]


class Node(BaseModel):
    """An event, or a number or text that an opinion rests on.

    Attributes
    ----------
    id : str
        Of the event; of a number that of its event, `#`, and its place among the event's evidence.
    type : str
        The event's type, or `number`.
    agent : str
        Who said it.
    time : datetime
        Desk time.
    summary : str
        In a sentence, or the number with its name and unit.
    stance, confidence, weight : float or None
        Of an opinion; its weight in the consensus, where it counted.
    score : float or None
        Of the consensus.
    value : float, str or None
        Of a number.
    """

    id: str
    type: str
    agent: Token
    time: UtcTime
    summary: str
    stance: float | None = None
    confidence: float | None = None
    weight: float | None = None
    score: float | None = None
    value: float | str | None = None


class Edge(BaseModel):
    """What something rests on.

    Attributes
    ----------
    source, target : str
        The source rests on the target.
    kind : str
        `cause`: an event and what led to it; `vote`: the consensus and an opinion that it counted; `evidence`: an
        opinion and a number; `origin`: a number or an event, and an event that it is taken from.
    """

    source: str
    target: str
    kind: Kind


class Unresolved(BaseModel):
    """Something that cannot be followed further, and why.

    Attributes
    ----------
    node : str
        The number or event that ends there.
    """

    node: str
    reason: str


class Why(BaseModel):
    """Why a trade was decided as it was, as far as that can be followed.

    Attributes
    ----------
    state : str
        `open` until there is a consensus, then `decided`.
    explanation : str or None
        The consensus in plain words.
    unresolved : list of Unresolved
        Evidence and causes that name no event, or one that is not there for the caller.
    truncated : bool
        Whether there is more than is shown.
    """

    id: Token
    state: Literal["open", "decided"]
    explanation: str | None
    nodes: list[Node]
    edges: list[Edge]
    unresolved: list[Unresolved]
    truncated: bool


async def why(store: EventStore, caller: Caller, trade_id: str) -> Why:
    """Give the graph of a trade's decision.

    Raises
    ------
    MissingError
        There is no such trade that the caller may read.
    """
    request = await asked(store, caller, TradeRequested, "trade", trade_id, f"trade-{trade_id}")
    page = await store.page(Filter(stream=request.stream, audiences=caller.audiences), "", MOST_STORY)
    story = {event.id: event for event in (request, *map(decode, page.events))}
    known = await _follow(store, caller, story)
    return _graph(request, known, is_cut=len(page.events) == MOST_STORY)


async def _follow(store: EventStore, caller: Caller, story: Mapping[str, Event]) -> dict[str, Event | None]:
    """Give the story and what it rests on, each event by its id; None where it is not there for the caller."""
    known: dict[str, Event | None] = dict(story)
    level: Iterable[Event] = story.values()
    for _ in range(MOST_STEPS):
        named = dict.fromkeys(link.target for event in level for link in _links(event))
        room = MOST_FOLLOWED + len(story) - len(known)
        wanted = [each for each in named if each is not None and each not in known][:room]
        bodies = await asyncio.gather(*(store.get(each) for each in wanted))
        there = {event.id: event for event in (decode(body) for body in bodies if body) if caller.reads(event)}
        known |= {each: there.get(each) for each in wanted}
        level = there.values()
    return known


@dataclass(frozen=True, slots=True)
class _Link:
    """What something rests on; no target where that is not said."""

    source: str
    target: str | None
    kind: Kind


def _links(event: Event) -> Iterator[_Link]:
    """Give what an event, and each number that it names as evidence, is said to rest on."""
    if event.causationid is not None:
        yield _Link(event.id, event.causationid, "cause")
    match event:
        case OpinionFormed():
            for place, item in enumerate(event.data.evidence):
                yield _Link(_number_id(event, place), item.event, "origin")
        case ConsensusReached():
            yield from (_Link(event.id, vote.opinion, "vote") for vote in event.data.votes)
        case SentimentScored():
            yield from (_Link(event.id, headline.event, "origin") for headline in event.data.headlines)
        case RegulationChanged():
            yield _Link(event.id, event.data.news, "origin")
        case ForecastPublished():
            named = dict.fromkeys(each for forecast in event.data.forecasts for each in forecast.evidence)
            yield from (_Link(event.id, each, "origin") for each in named)


def _graph(request: TradeRequested, known: Mapping[str, Event | None], *, is_cut: bool) -> Why:
    events = [event for event in known.values() if event is not None]
    own = (event for event in events if event.stream == request.stream)
    consensus = next((event for event in own if isinstance(event, ConsensusReached)), None)
    weights = {vote.opinion: vote.weight for vote in consensus.data.votes} if consensus else {}
    ends = [link for event in events for link in _links(event) if not _leads(link, known)]
    return Why(
        id=request.id,
        state="decided" if consensus else "open",
        explanation=consensus.data.explanation if consensus else None,
        nodes=[node for event in events for node in _nodes(event, request.data.symbol, weights.get(event.id))],
        edges=[edge for event in events for edge in _edges(event, known)],
        unresolved=[Unresolved(node=link.source, reason=_reason(link, known)) for link in ends],
        truncated=is_cut or any(link.target is not None and link.target not in known for link in ends),
    )


def _leads(link: _Link, known: Mapping[str, Event | None]) -> bool:
    return link.target is not None and known.get(link.target) is not None


def _reason(link: _Link, known: Mapping[str, Event | None]) -> str:
    if link.target is None:
        return "it names no event"
    return f"there is no event {link.target}" if link.target in known else f"{link.target} was not looked up any more"


def _edges(event: Event, known: Mapping[str, Event | None]) -> Iterator[Edge]:
    if isinstance(event, OpinionFormed):
        for place in range(len(event.data.evidence)):
            yield Edge(source=event.id, target=_number_id(event, place), kind="evidence")
    for link in _links(event):
        if link.target is not None and _leads(link, known):
            yield Edge(source=link.source, target=link.target, kind=link.kind)


def _nodes(event: Event, symbol: str, weight: float | None) -> Iterator[Node]:
    numbers: dict[str, float] = {}
    if isinstance(event, OpinionFormed):
        numbers = {"stance": event.data.stance, "confidence": event.data.confidence}
        numbers |= {} if weight is None else {"weight": weight}
    elif isinstance(event, ConsensusReached):
        numbers = {"score": event.data.score}
    summary = sentence(event, symbol)
    yield Node(id=event.id, type=event.type, agent=event.source, time=event.time, summary=summary, **numbers)
    for place, item in enumerate(event.data.evidence if isinstance(event, OpinionFormed) else ()):
        yield Node(
            id=_number_id(event, place),
            type="number",
            agent=event.source,
            time=event.time,
            summary=_told(item),
            value=item.value,
        )


def _number_id(event: Event, place: int) -> str:
    return f"{event.id}#{place}"


def _told(item: Evidence) -> str:
    value = f"{item.value:,.4g}" if isinstance(item.value, float) else quoted(item.value)
    return f"{item.name}: {value} {item.unit}".rstrip()
