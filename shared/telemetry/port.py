"""What the desk needs of telemetry: spans that make a trade one trace, and the numbers that an operator alerts on.

Names follow OpenTelemetry's semantic conventions where they have one, else begin with `finagent.`. Nothing that a
caller or a market says goes into an attribute: ids, names and kinds only.
"""

from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Literal, Protocol

type Value = str | int | float | bool
type Attributes = Mapping[str, Value]
type Kind = Literal["internal", "server", "consumer"]

Counter = Literal[
    "finagent.handled",  # messages, by agent, event type and outcome
    "finagent.failures",  # step.failed, by agent
    "finagent.opinions",  # votes, by agent and whether it abstained
    "finagent.refusals",  # trades that were turned away, because the desk was overloaded
    "finagent.tick.failures",  # ticks that failed, by timer
]
Histogram = Literal["messaging.process.duration", "http.server.request.duration"]  # seconds
Gauge = Literal[
    "finagent.backlog",  # messages that wait, by subscription
    "finagent.backlog.age",  # wall seconds since the oldest of them could have been handled, by subscription
    "finagent.dead_letters",  # messages that were given up, by subscription
    "finagent.data.age",  # desk seconds since the newest close, by symbol
    "finagent.cost.hourly",  # money that the desk spent in the last hour by its ledger, at list prices
    "finagent.tick.lateness",  # wall seconds since a timer's last tick that worked, by timer
]


class Span(Protocol):
    """Something that is being done."""

    def set(self, name: str, value: Value) -> None:
        """Say something more about it."""
        ...

    def rename(self, name: str) -> None:
        """Call it what only turned out on the way."""
        ...


class Telemetry(Protocol):
    """Where spans and numbers go. Nothing here waits or raises, whatever has become of who listens."""

    enabled: bool

    def span(
        self, name: str, kind: Kind, attributes: Attributes, parent: str | None = None
    ) -> AbstractContextManager[Span]:
        """Give the span of what happens within; an error that leaves it marks it, by its type alone.

        Parameters
        ----------
        parent : str or None
            The `traceparent` that it follows from; None for what is under way here, or else a new trace.
        """
        ...

    def traceparent(self) -> str | None:
        """Give the W3C trace context of what is under way; None when nothing is."""
        ...

    def count(self, name: Counter, attributes: Attributes) -> None:
        """Count one more."""
        ...

    def record(self, name: Histogram, value: float, attributes: Attributes) -> None:
        """Add a measurement to a distribution."""
        ...

    def set(self, name: Gauge, value: float, attributes: Attributes) -> None:
        """Say what a number is now."""
        ...

    async def close(self) -> None:
        """Hand over what is left, within a few seconds."""
        ...
