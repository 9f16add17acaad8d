"""Requests as telemetry sees them: one span each, named by the route that answered and never by what was asked."""

from collections.abc import Callable
from time import perf_counter

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.telemetry.port import Kind, Telemetry, Value

_SERVER_ERROR = 500


class Traced:
    """An ASGI app around another, which is seen when the desk's telemetry is on.

    On Azure the platform has a span of its own for the request, and ours is a part of it; here ours is the server's.
    """

    def __init__(self, app: ASGIApp, telemetry: Callable[[], Telemetry]) -> None:
        self._app = app
        self._telemetry = telemetry

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        telemetry = self._telemetry()
        if telemetry.enabled:
            await self._answer(telemetry, scope, receive, send)
        else:
            await self._app(scope, receive, send)

    async def _answer(self, telemetry: Telemetry, scope: Scope, receive: Receive, send: Send) -> None:
        began, method = perf_counter(), scope["method"]
        parent, kind = _parent(scope)
        attributes: dict[str, Value] = {"http.request.method": method, "faas.trigger": "http"}
        with telemetry.span(method, kind, attributes, parent) as span:

            async def pass_on(message: Message) -> None:
                if message["type"] == "http.response.start":
                    attributes["http.response.status_code"] = message["status"]
                await send(message)

            try:
                await self._app(scope, receive, pass_on)
            finally:
                attributes["http.route"] = getattr(scope.get("route"), "path", "unmatched")
                status = attributes.setdefault("http.response.status_code", _SERVER_ERROR)
                span.rename(f"{method} {attributes['http.route']}")
                span.set("http.route", attributes["http.route"])
                span.set("http.response.status_code", status)
                telemetry.record("http.server.request.duration", perf_counter() - began, attributes)


def _parent(scope: Scope) -> tuple[str | None, Kind]:
    platform = getattr(scope.get("azure_functions.trace_context"), "trace_parent", None)
    if platform:
        return str(platform), "internal"
    return next((value.decode("latin-1") for name, value in scope["headers"] if name == b"traceparent"), None), "server"
