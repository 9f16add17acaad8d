"""What a detector of bars is, and what it is shown."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from shared.events.envelope import Event
from shared.events.market import Alarm, Bar, Interval
from shared.quant.indicator import IndicatorState

type Memory = tuple[float, ...]
"""What a detector keeps of one symbol between its bars; empty before the first. Small: it is committed with each."""


@dataclass(frozen=True, slots=True)
class Seen:
    """A closed bar of one symbol, and what the indicators knew before and after it."""

    bar: Bar
    interval: Interval
    before: IndicatorState
    after: IndicatorState

    @property
    def change(self) -> float:
        """The bar's return on the close before, a fraction; 0 at the first bar."""
        return self.bar.close / self.before.closes[-1] - 1 if self.before.closes else 0.0

    @property
    def usual_change(self) -> float:
        """Standard deviation of such a return, as estimated before the bar (EWMA, decay 0.94), a fraction."""
        return math.sqrt(self.before.variance)


@dataclass(frozen=True, slots=True)
class Detector:
    """A detector: the event that it makes, and how it looks at bars.

    Attributes
    ----------
    name : str
        Under which its memory is kept.
    event : type of Event
        What becomes of its findings.
    follow : callable, optional
        Given its memory of a symbol and that symbol's next bar: the next memory and a finding or None. Called with
        every bar in order, and again from the beginning where a history is read anew.
    compare : callable, optional
        Given one interval's bars of a shard of the watchlist: a finding about all of them or None.
    """

    name: str
    event: type[Event]
    follow: Callable[[Memory, Seen], tuple[Memory, Alarm | None]] | None = None
    compare: Callable[[Sequence[Seen]], Alarm | None] | None = None
