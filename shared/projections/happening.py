"""What happened, by what it concerns: alarms, acts of authorities and headlines of a symbol, and of an owner what was
decided, suggested and graded. Whoever looks back reads it here instead of the log, newest first and as of a moment.

Of two such events that concern the same at the same moment, one is kept.
"""

from collections.abc import Iterator
from datetime import datetime
from typing import get_args

from shared.events.catalogue import decode
from shared.events.envelope import Event
from shared.events.market import MARKET, Crash, MarketCrashDetected, MarketWhaleDetected
from shared.events.news import NewsReceived, RegulationChanged
from shared.events.options import OptionsSuggested
from shared.events.question import ResearchCompleted
from shared.events.trade import ConsensusReached, OpinionGraded
from shared.projections.port import ProjectionStore, Row, view_of

_CRASHES: tuple[str, ...] = get_args(Crash.model_fields["kind"].annotation)


def rows(event: Event) -> list[Row]:
    """Fold an event into a row for each that it concerns; other events give none."""
    return [
        Row(_view(type(event), part, event.owner), subject, event.time, event.time, event.json_bytes)
        for part, subject in _places(event)
    ]


def _places(event: Event) -> Iterator[tuple[str, str]]:
    """Give the part of its type, and the subject, under which an event is found."""
    match event:
        case MarketCrashDetected():
            yield event.data.kind, event.data.symbol
        case MarketWhaleDetected():
            yield "", event.data.symbol
        case OptionsSuggested():
            yield from (("", subject) for subject in (event.data.symbol, event.source))
        case ResearchCompleted():
            yield "", event.source
        case NewsReceived() | RegulationChanged():
            yield from (("", symbol) for symbol in event.data.symbols or (MARKET,))
        case ConsensusReached():
            yield "", event.data.step
        case OpinionGraded():
            yield "", event.data.agent


def _view(kind: type[Event], part: str, owner: str | None) -> str:
    return view_of(f"happening:{kind.name()}{part and f':{part}'}", owner)


class Happenings:
    """Reads what happened."""

    def __init__(self, store: ProjectionStore) -> None:
        self._store = store

    async def read[E: Event](
        self,
        kind: type[E],
        subject: str,
        as_of: datetime,
        *,
        after: datetime | None = None,
        owner: str | None = None,
        limit: int = 20,
    ) -> list[E]:
        """Give the newest events of a type that concern a subject, as known at a moment; oldest first.

        Parameters
        ----------
        subject : str
            A symbol, or `MARKET`; of decisions the step; of grades, suggestions and answers also the agent.
        after : datetime, optional
            Leave out what happened at or before it.
        owner : str, optional
            Whose they are; the desk's own, unless given.
        """
        found: list[E] = []
        for part in _CRASHES if kind is MarketCrashDetected else ("",):
            kept = await self._store.read(_view(kind, part, owner), subject, as_of, after=after, limit=limit)
            found += [event for event in (decode(row.body, kind.name()) for row in kept) if isinstance(event, kind)]
        return sorted(found, key=lambda event: (event.time, event.id))[-limit:]
