"""Telemetry whose spans and numbers stay in the process, for tests that look at them."""

from typing import Any

from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from shared.telemetry.open_telemetry import OpenTelemetry, tracer_provider


class Watched(OpenTelemetry):
    """The adapter, with what it was told."""

    def __init__(self) -> None:
        self._kept, self._reader = InMemorySpanExporter(), InMemoryMetricReader()
        tracers = tracer_provider()
        tracers.add_span_processor(SimpleSpanProcessor(self._kept))
        super().__init__(tracers, [self._reader])

    @property
    def spans(self) -> list[ReadableSpan]:
        """The spans that ended, in that order."""
        return list(self._kept.get_finished_spans())

    @property
    def traces(self) -> set[str]:
        """The ids of their traces."""
        return {f"{span.context.trace_id:032x}" for span in self.spans}

    def values(self, name: str) -> dict[tuple[Any, ...], float]:
        """Give a metric's numbers (a histogram's counts) by the values of their attributes, in the names' order."""
        return {
            tuple(value for _, value in sorted((point.attributes or {}).items())): getattr(
                point, "value", getattr(point, "count", 0)
            )
            for point in self._points(name)
        }

    def attributes(self, name: str) -> set[str]:
        """Give the names of what a metric is told by."""
        return {attribute for point in self._points(name) for attribute in point.attributes or {}}

    def _points(self, name: str) -> list[Any]:
        data = self._reader.get_metrics_data()
        metrics = [m for r in (data.resource_metrics if data else ()) for s in r.scope_metrics for m in s.metrics]
        return [point for metric in metrics if metric.name == name for point in metric.data.data_points]
