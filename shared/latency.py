"""Where a trade's time went: each execution in its story, and the chain of them that its consensus waited for."""

from collections.abc import Sequence
from dataclasses import dataclass

from shared.events.envelope import Event
from shared.events.trade import ConsensusReached, TradeDeadlineReached
from shared.ledger.port import Entry


@dataclass(frozen=True, slots=True)
class Hop:
    """An execution in a story.

    Attributes
    ----------
    is_critical : bool
        Whether the consensus waited for it.
    """

    entry: Entry
    is_critical: bool

    @property
    def ends(self) -> int:
        """When it was done with what is measured: microseconds since 1970."""
        usage = self.entry.usage
        return self.entry.started + usage.handler_us + usage.store_us + usage.model_us


def hops(story: Sequence[Event], entries: Sequence[Entry]) -> list[Hop]:
    """Give the executions of a trade's story, in the order of their start.

    Parameters
    ----------
    story : sequence of Event
        The trade's events.
    entries : sequence of Entry
        Those of the ledger with the trade's correlation, in the order of their start. Of a message that came several
        times, the first time counts for the consensus.
    """
    critical = _Chain(story, entries).places()
    return [Hop(entry, place in critical) for place, entry in enumerate(entries)]


def span_us(hops: Sequence[Hop]) -> int | None:
    """Give the microseconds from the first critical hop to the end of the last; None without a consensus."""
    critical = [hop for hop in hops if hop.is_critical]
    if not critical:
        return None
    first = critical[0].entry
    return max(hop.ends for hop in critical) - (first.started - first.usage.wait_us)


class _Chain:
    """The executions from the consensus back to the request."""

    def __init__(self, story: Sequence[Event], entries: Sequence[Entry]) -> None:
        self._story = {event.id: event for event in story}
        self._handled: dict[tuple[str, str], int] = {}
        self._brought: dict[str, int] = {}
        for place, entry in enumerate(entries):
            if entry.usage.received:
                self._handled.setdefault((entry.agent, entry.event), place)
            elif entry.event:
                self._brought.setdefault(entry.event, place)

    def places(self) -> set[int]:
        """Give their places among the entries; none without a consensus."""
        consensus = next((event for event in self._story.values() if isinstance(event, ConsensusReached)), None)
        return set() if consensus is None else self._back(self._closing(consensus), consensus.source)

    def _closing(self, consensus: ConsensusReached) -> str | None:
        """Give the id of the event with which the round was closed: the last that was handled of all that count."""
        votes = [vote.opinion for vote in consensus.data.votes]
        deadlines = [event.id for event in self._story.values() if isinstance(event, TradeDeadlineReached)]
        counting = deadlines if consensus.data.closed_by == "deadline" else votes
        handled = [event for event in counting if (consensus.source, event) in self._handled]
        return max(handled, key=lambda event: self._handled[consensus.source, event], default=None)

    def _back(self, handled: str | None, agent: str) -> set[int]:
        """Give the places of an event's handling by an agent, and of all that led to it."""
        event = self._story.get(handled or "")
        if event is None:
            return set()
        own = (self._handled.get((agent, event.id)), self._brought.get(event.id))
        return {place for place in own if place is not None} | self._back(event.causationid, event.source)
