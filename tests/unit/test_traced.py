"""A request's span: the server's own here, and a part of the platform's on Azure."""

from types import SimpleNamespace
from typing import Any

import pytest
from opentelemetry.trace import SpanKind
from starlette.types import Message, Receive, Scope, Send

from functions.api.traced import Traced
from tests.unit.telemetry_bench import Watched

CALLER = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
PLATFORM = "00-11111111111111111111111111111111-2222222222222222-01"


async def route(scope: Scope, receive: Receive, send: Send) -> None:
    scope["route"] = SimpleNamespace(path="/api/trades/{trade_id}")
    if scope["path"] == "/api/trades/broken":
        raise ZeroDivisionError("SECRET")
    await send({"type": "http.response.start", "status": 404, "headers": []})


async def ask(telemetry: Watched, path: str, **more: Any) -> None:
    async def receive() -> Message:
        return {"type": "http.request"}

    async def send(message: Message) -> None:
        assert message["status"] == 404

    headers = [(b"traceparent", CALLER.encode())]
    await Traced(route, lambda: telemetry)({"method": "GET", "path": path, "headers": headers, **more}, receive, send)


@pytest.mark.parametrize(
    ("context", "parent", "kind"),
    [
        (SimpleNamespace(trace_parent=PLATFORM), PLATFORM, SpanKind.INTERNAL),
        (SimpleNamespace(trace_parent=""), CALLER, SpanKind.SERVER),
        (None, CALLER, SpanKind.SERVER),
    ],
    ids=["azure", "azure-untraced", "embedded"],
)
async def test_request_when_a_span_is_around_it_is_part_of_that(context: object, parent: str, kind: SpanKind) -> None:
    telemetry = Watched()
    await ask(telemetry, "/api/trades/1", **{"azure_functions.trace_context": context})
    (span,) = telemetry.spans
    assert (span.name, span.kind) == ("GET /api/trades/{trade_id}", kind)
    assert f"{span.context.trace_id:032x}" == parent.split("-")[1]
    assert telemetry.values("http.server.request.duration") == {("http", "GET", 404, "/api/trades/{trade_id}"): 1}


async def test_request_when_the_app_fails_is_marked_by_the_type_alone() -> None:
    telemetry = Watched()
    with pytest.raises(ZeroDivisionError):
        await ask(telemetry, "/api/trades/broken")
    (span,) = telemetry.spans
    attributes = dict(span.attributes or {})
    assert (attributes["http.response.status_code"], attributes["error.type"]) == (500, "ZeroDivisionError")
    assert "SECRET" not in span.to_json()
