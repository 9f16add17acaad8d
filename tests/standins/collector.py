"""A collector that takes OTLP over HTTP, as OpenTelemetry specifies it, and Application Insights' own JSON."""

import gzip
import json
import threading
from collections.abc import Iterable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

MESSAGES: dict[str, tuple[Any, Any]] = {
    "/v1/traces": (ExportTraceServiceRequest, ExportTraceServiceResponse),
    "/v1/metrics": (ExportMetricsServiceRequest, ExportMetricsServiceResponse),
}


@dataclass(frozen=True, slots=True)
class Seen:
    """A span as it came in; ids are lower-case hex, and a root has no parent."""

    name: str
    kind: int
    trace: str
    id: str
    parent: str
    attributes: dict[str, Any]


@dataclass
class Collector:
    """Listens on a free port of the loopback interface while it is entered.

    Attributes
    ----------
    open : threading.Event
        While it is not set, requests are taken and not answered.
    status : int
        What it answers with.
    """

    open: threading.Event = field(default_factory=threading.Event)
    status: int = 200
    received: list[Any] = field(default_factory=list)
    asked: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> Self:
        self.open.set()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05})
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.open.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    @property
    def url(self) -> str:
        """What `OTEL_EXPORTER_OTLP_ENDPOINT` is to say."""
        return f"http://127.0.0.1:{self._server.server_port}"

    @property
    def spans(self) -> list[Seen]:
        """Every span that came in."""
        requests = [each for each in self.received if isinstance(each, ExportTraceServiceRequest)]
        scopes = [scope for each in requests for part in each.resource_spans for scope in part.scope_spans]
        return [_seen(span) for scope in scopes for span in scope.spans]

    @property
    def metrics(self) -> set[str]:
        """The names of the metrics that came in."""
        requests = [each for each in self.received if isinstance(each, ExportMetricsServiceRequest)]
        return {
            metric.name
            for each in requests
            for part in each.resource_metrics
            for scope in part.scope_metrics
            for metric in scope.metrics
        }

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        collector = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                if self.headers.get("content-encoding") == "gzip":
                    body = gzip.decompress(body)
                collector.asked.set()
                collector.open.wait()
                received, kind, answer = _read(self.path, body)
                if collector.status == 200:
                    collector.received.append(received)
                self.send_response(collector.status)
                self.send_header("content-type", kind)
                self.send_header("content-length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, format: str, *args: Any) -> None:
                """Say nothing."""

        return Handler


def _read(path: str, body: bytes) -> tuple[Any, str, bytes]:
    if path.endswith("/v2.1/track"):
        items = json.loads(body)
        told = {"itemsReceived": len(items), "itemsAccepted": len(items), "errors": []}
        return items, "application/json", json.dumps(told).encode()
    request, response = MESSAGES[path]
    return request.FromString(body), "application/x-protobuf", response().SerializeToString()


def _seen(span: Any) -> Seen:
    ids = (span.trace_id.hex(), span.span_id.hex(), span.parent_span_id.hex())
    return Seen(span.name, span.kind, *ids, _plain(span.attributes))


def _plain(attributes: Iterable[Any]) -> dict[str, Any]:
    return {each.key: getattr(each.value, each.value.WhichOneof("value")) for each in attributes}
