"""The gate: every request passes it before the app, and every answer on its way out."""

import logging

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from functions.api.problem import field_problem

logger = logging.getLogger(__name__)

# What every answer says unless the operation said otherwise.
HEADERS = {"x-content-type-options": "nosniff", "cache-control": "no-store"}
_RAW_HEADERS = {name.encode(): value.encode() for name, value in HEADERS.items()}


class Gate:
    """Limits bodies, answers HEAD like GET but without content, and adds the headers that every answer has.

    The platform hands a body over in one piece, so its first message tells its size.
    """

    def __init__(self, app: ASGIApp, limit_bytes: int) -> None:
        self._app = app
        self._limit_bytes = limit_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or refuse it."""
        first = await receive()
        outgoing = _outgoing(send, has_content=scope["method"] != "HEAD")
        if len(first.get("body", b"")) > self._limit_bytes:
            await field_problem(413, "body", f"more than {self._limit_bytes} bytes")(scope, receive, outgoing)
            return
        try:
            await self._app(_as_get(scope), _resuming(first, receive), outgoing)
        except Exception:  # the app has answered 500 and raises again, so that whoever runs it may log
            logger.exception("%s %r failed", scope["method"], scope["path"])


def _as_get(scope: Scope) -> Scope:
    return {**scope, "method": "GET"} if scope["method"] == "HEAD" else scope


def _resuming(first: Message, receive: Receive) -> Receive:
    pending = [first]

    async def resume() -> Message:
        return pending.pop() if pending else await receive()

    return resume


def _outgoing(send: Send, *, has_content: bool) -> Send:
    async def pass_on(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = _RAW_HEADERS | dict(message["headers"])
            await send({**message, "headers": list(headers.items())})
        elif has_content:
            await send(message)
        else:
            await send({**message, "body": b""})

    return pass_on
