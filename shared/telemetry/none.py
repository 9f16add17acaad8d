"""Telemetry that is off: the default. It does nothing and imports nothing."""

from contextlib import AbstractContextManager, nullcontext

from shared.telemetry.port import Attributes, Counter, Gauge, Histogram, Kind, Span, Value


class NoSpan:
    """A span that nobody sees."""

    def set(self, name: str, value: Value) -> None:
        """Do nothing."""

    def rename(self, name: str) -> None:
        """Do nothing."""


_UNSEEN: AbstractContextManager[Span] = nullcontext(NoSpan())


class NoTelemetry:
    """A `Telemetry` that nobody listens to."""

    enabled = False

    def span(
        self, name: str, kind: Kind, attributes: Attributes, parent: str | None = None
    ) -> AbstractContextManager[Span]:
        """Give a span that nobody sees."""
        return _UNSEEN

    def traceparent(self) -> None:
        """Give none."""

    def count(self, name: Counter, attributes: Attributes) -> None:
        """Do nothing."""

    def record(self, name: Histogram, value: float, attributes: Attributes) -> None:
        """Do nothing."""

    def set(self, name: Gauge, value: float, attributes: Attributes) -> None:
        """Do nothing."""

    async def close(self) -> None:
        """Do nothing."""


OFF = NoTelemetry()
