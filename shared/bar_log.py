"""What the log has of each interval of a market stream, and the id that the interval's next event gets.

An id counts the events before it of the same interval, and says nothing of its content: a bar may be corrected and
later corrected back, and each time the desk has to hear of it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from math import isclose

from shared.events.envelope import derive_id
from shared.events.market import Bar, Interval, MarketDataReceived
from shared.store.port import EventStore

RESTATED = 0.01
"""Change of a price that is taken for a split's; a correction that is as large costs a reading of the history."""


def bar_event_id(stream: str, interval: Interval, closed_at: datetime, ordinal: int) -> str:
    """Give the id of an interval's event by the number of events before it."""
    return derive_id(stream, interval, closed_at.isoformat(), str(ordinal))


@dataclass(slots=True)
class Logged:
    """The events of one interval, and the last bar of each symbol in them."""

    events: list[MarketDataReceived] = field(default_factory=list)
    bars: dict[str, Bar] = field(default_factory=dict)

    def add(self, event: MarketDataReceived) -> None:
        """Take in the next event."""
        self.events.append(event)
        self.bars |= {bar.symbol: bar for bar in event.data.bars}

    def holds(self, bars: tuple[Bar, ...]) -> bool:
        """Whether all of these bars are what was last heard."""
        return all(self.bars.get(bar.symbol) == bar for bar in bars)


class BarLog:
    """Reads what the log has, and remembers it for the intervals that are looked at again and again."""

    def __init__(self, store: EventStore, interval: Interval) -> None:
        self._store = store
        self._interval = interval
        self._read: dict[tuple[str, datetime], Logged] = {}

    async def of(self, stream: str, closed_at: datetime) -> Logged:
        """Give what the log has of the interval that ended then."""
        if (stream, closed_at) not in self._read:
            logged = Logged()
            while body := await self._store.get(self.event_id(stream, closed_at, len(logged.events)), stream):
                logged.add(MarketDataReceived.model_validate_json(body))
            self._read[stream, closed_at] = logged
        return self._read[stream, closed_at]

    async def restated(self, stream: str, bars: Sequence[Bar]) -> set[str]:
        """Give the symbols whose oldest bar here has another price in the log, as all before a split then have."""
        oldest = {bar.symbol: bar for bar in sorted(bars, key=lambda bar: bar.closed_at, reverse=True)}
        logged = {symbol: (await self.of(stream, bar.closed_at)).bars.get(symbol) for symbol, bar in oldest.items()}
        return {
            symbol
            for symbol, known in logged.items()
            if known is not None and not isclose(known.close, oldest[symbol].close, rel_tol=RESTATED)
        }

    def event_id(self, stream: str, closed_at: datetime, ordinal: int) -> str:
        """Give the id of an interval's event by the number of events before it."""
        return bar_event_id(stream, self._interval, closed_at, ordinal)

    def forget(self, stream: str, closed_at: datetime) -> None:
        """Read an interval anew when it is next asked for, because an event of it is about to be stored."""
        self._read.pop((stream, closed_at), None)

    def forget_until(self, stream: str, moment: datetime) -> None:
        """Let go of the intervals that ended by then."""
        self._read = {key: read for key, read in self._read.items() if key[0] != stream or key[1] > moment}
