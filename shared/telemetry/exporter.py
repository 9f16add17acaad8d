"""Where telemetry goes: Azure Monitor, a collector that speaks OTLP over HTTP, or this process's standard error."""

import sys
from typing import Literal

from opentelemetry.sdk.metrics.export import ConsoleMetricExporter, MetricExporter
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import ConsoleSpanExporter, SpanExporter

type Destination = Literal["azure", "otlp", "console"]


def exporters(
    destination: Destination, connection: str | None, tracers: TracerProvider
) -> tuple[SpanExporter, MetricExporter]:
    """Give what sends spans and numbers to a destination.

    Parameters
    ----------
    connection : str or None
        Connection string of Application Insights, for `azure`: by managed identity where the platform's variable
        `APPLICATIONINSIGHTS_AUTHENTICATION_STRING` says so. The address of a collector is OpenTelemetry's own variable.
    tracers : TracerProvider
        Whose spans are sent.

    Raises
    ------
    ImportError
        The exporter's package is not installed: the one for OTLP is no part of what Azure installs.
    """
    if destination == "azure":
        from azure.monitor.opentelemetry.exporter import AzureMonitorMetricExporter, AzureMonitorTraceExporter

        # What cannot be sent is dropped: the disk of an instance is neither large nor lasting.
        options = {"connection_string": connection, "disable_offline_storage": True}
        return AzureMonitorTraceExporter(**options, tracer_provider=tracers), AzureMonitorMetricExporter(**options)
    if destination == "otlp":
        from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

        return OTLPSpanExporter(), OTLPMetricExporter()
    return (
        ConsoleSpanExporter(out=sys.stderr, formatter=lambda span: f"{span.to_json(indent=None)}\n"),
        ConsoleMetricExporter(out=sys.stderr, formatter=lambda data: f"{data.to_json(indent=None)}\n"),
    )
