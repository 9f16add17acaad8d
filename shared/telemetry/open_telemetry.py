"""Telemetry by OpenTelemetry's SDK. Imported only when it is on.

Spans and numbers are handed to threads of the SDK, which drop them when nobody takes them: a listener that is down or
slow holds up nothing.
"""

import asyncio
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import get_args

from opentelemetry.context import Context
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import MetricReader, PeriodicExportingMetricReader
from opentelemetry.sdk.resources import SERVICE_NAME, OTELResourceDetector, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Link, Span, SpanContext, SpanKind, Status, StatusCode, get_current_span
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from shared.telemetry.exporter import Destination, exporters
from shared.telemetry.port import Attributes, Counter, Gauge, Histogram, Kind, Value

CLOSING_SECONDS = 3.0
_SCOPE = "finagent"
_KINDS = {"internal": SpanKind.INTERNAL, "server": SpanKind.SERVER, "consumer": SpanKind.CONSUMER}
# What OpenTelemetry advises for durations of requests and messages, in seconds.
_BOUNDARIES = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10)
_W3C = TraceContextTextMapPropagator()


class OpenTelemetrySpan:
    """A span of OpenTelemetry's."""

    def __init__(self, span: Span) -> None:
        self._span = span

    def set(self, name: str, value: Value) -> None:
        """Set an attribute."""
        self._span.set_attribute(name, value)

    def rename(self, name: str) -> None:
        """Change its name."""
        self._span.update_name(name)


class OpenTelemetry:
    """A `Telemetry` over OpenTelemetry's SDK.

    Parameters
    ----------
    tracers : TracerProvider
        Makes the spans, and knows who is given those that ended.
    readers : sequence of MetricReader
        Who collects the numbers.
    """

    enabled = True

    def __init__(self, tracers: TracerProvider, readers: Sequence[MetricReader]) -> None:
        self._tracers = tracers
        self._meters = MeterProvider(readers, resource=tracers.resource, shutdown_on_exit=False)
        self._tracer = self._tracers.get_tracer(_SCOPE)
        meter = self._meters.get_meter(_SCOPE)
        self._counters = {name: meter.create_counter(name) for name in get_args(Counter)}
        self._gauges = {name: meter.create_gauge(name) for name in get_args(Gauge)}
        self._histograms = {
            name: meter.create_histogram(name, "s", explicit_bucket_boundaries_advisory=_BOUNDARIES)
            for name in get_args(Histogram)
        }

    @contextmanager
    def span(
        self, name: str, kind: Kind, attributes: Attributes, parent: str | None = None
    ) -> Iterator[OpenTelemetrySpan]:
        """Give the span of what happens within."""
        around = get_current_span().get_span_context()
        context = _W3C.extract({"traceparent": parent}, Context()) if parent else None
        links = [Link(around)] if context is not None and around.is_valid and not _within(around, context) else []
        with self._tracer.start_as_current_span(
            name, context, _KINDS[kind], dict(attributes), links, record_exception=False, set_status_on_exception=False
        ) as span:
            try:
                yield OpenTelemetrySpan(span)
            except BaseException as error:
                # What an error says may hold what a caller sent.
                span.set_attribute("error.type", type(error).__qualname__)
                span.set_status(Status(StatusCode.ERROR))
                raise

    def traceparent(self) -> str | None:
        """Give the W3C trace context of what is under way."""
        carrier: dict[str, str] = {}
        _W3C.inject(carrier)
        return carrier.get("traceparent")

    def count(self, name: Counter, attributes: Attributes) -> None:
        """Count one more."""
        self._counters[name].add(1, dict(attributes))

    def record(self, name: Histogram, value: float, attributes: Attributes) -> None:
        """Add a measurement."""
        self._histograms[name].record(value, dict(attributes))

    def set(self, name: Gauge, value: float, attributes: Attributes) -> None:
        """Set a gauge."""
        self._gauges[name].set(value, dict(attributes))

    async def close(self) -> None:
        """Hand over what is left, or leave it after a while."""
        # A listener that is away keeps the SDK trying; no thread of a pool may be left in it when the process ends.
        closing = threading.Thread(target=self._shut_down, name="telemetry", daemon=True)
        closing.start()
        await asyncio.to_thread(closing.join, CLOSING_SECONDS)

    def _shut_down(self) -> None:
        self._tracers.shutdown()
        self._meters.shutdown()


def open_telemetry(destination: Destination, connection: str | None) -> OpenTelemetry:
    """Give telemetry that goes to a destination; see `exporters`."""
    tracers = tracer_provider()
    spans, metrics = exporters(destination, connection, tracers)
    tracers.add_span_processor(BatchSpanProcessor(spans))
    return OpenTelemetry(tracers, [PeriodicExportingMetricReader(metrics)])


def tracer_provider() -> TracerProvider:
    """Give what makes spans in the name of the service, which OpenTelemetry's own variables may change."""
    named = Resource({SERVICE_NAME: "finagent"}).merge(OTELResourceDetector().detect())
    return TracerProvider(resource=named, shutdown_on_exit=False)


def _within(around: SpanContext, context: Context) -> bool:
    return get_current_span(context).get_span_context().trace_id == around.trace_id
