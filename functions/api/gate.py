"""The gate: every request passes it before the app, and every answer on its way out."""

import logging
from collections.abc import Mapping

from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from functions.api import audit
from functions.api.access import SAFE
from functions.api.cors import cors_headers, is_preflight, vary
from functions.api.problem import field_problem, problem
from shared.callers.key import is_key_in
from shared.errors import FinAgentError
from shared.settings import Settings
from shared.wiring import desk

logger = logging.getLogger(__name__)

# What every answer says unless the operation said otherwise.
HEADERS = {
    "x-content-type-options": "nosniff",
    "cache-control": "no-store",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "referrer-policy": "no-referrer",
}
_SECURE = {"strict-transport-security": "max-age=31536000"}


class Gate:
    """Limits bodies, answers HEAD like GET but without content, adds the headers that every answer has, and audits.

    The platform hands a body over in one piece, so its first message tells its size.
    """

    def __init__(self, app: ASGIApp, limit_bytes: int) -> None:
        self._app = app
        self._limit_bytes = limit_bytes
        self._settings: Settings | None = None
        self._headers = _raw(HEADERS)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or refuse it."""
        first = await receive()
        outgoing = _Outgoing(send, self._headers_for(scope), has_content=scope["method"] != "HEAD")
        if scope["method"] in SAFE:
            await self._answer(scope, receive, first, outgoing)
            return
        held = _Held()
        await self._answer(scope, receive, first, held)
        await (await self._recorded(scope, held))(scope, receive, outgoing)

    async def _recorded(self, scope: Scope, held: "_Held") -> ASGIApp:
        """Give the answer once the audit has it, or that it has not: whoever is told of a success finds it there."""
        try:
            await audit.record(scope, held.status, held.location)
        except FinAgentError as error:
            logger.exception("%s %r was done, and is in no event of the audit", scope["method"], scope["path"])
            told = f"it was done, but could not be written down: {error}; try again, with the same Idempotency-Key"
            return problem(503, told, headers={"Retry-After": "1"})
        return held.replay

    def _headers_for(self, scope: Scope) -> dict[bytes, bytes]:
        settings = _settings()
        if settings is not None and settings is not self._settings:
            secure = _SECURE if settings.auth != "none" else {}
            self._settings, self._headers = settings, _raw(HEADERS | secure | vary(settings))
        if settings is None or not settings.cors:
            return self._headers
        return self._headers | _raw(cors_headers(scope, settings))

    async def _answer(self, scope: Scope, receive: Receive, first: Message, outgoing: Send) -> None:
        if is_key_in(f"{scope['path']}?{scope['query_string'].decode('latin-1')}"):
            # Whatever the route makes of it, or whether there is one: proxies and browsers keep addresses.
            told = "no key belongs into it, as it gets logged: send `Authorization: Bearer`, and revoke this one"
            await field_problem(400, "address", told)(scope, receive, outgoing)
            return
        if is_preflight(scope):
            await Response(status_code=204)(scope, receive, outgoing)
            return
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


class _Held:
    """Keeps an answer back, and notes what it says of what was done."""

    def __init__(self) -> None:
        self._messages: list[Message] = []
        self.status = 0
        self.location = ""

    async def __call__(self, message: Message) -> None:
        """Keep a part of the answer."""
        self._messages.append(message)
        if message["type"] == "http.response.start":
            headers = dict(message["headers"])
            self.status, self.location = message["status"], headers.get(b"location", b"").decode("latin-1")

    async def replay(self, _scope: Scope, _receive: Receive, send: Send) -> None:
        """Send it on."""
        for message in self._messages:
            await send(message)


class _Outgoing:
    """Adds headers to an answer on its way out."""

    def __init__(self, send: Send, headers: Mapping[bytes, bytes], *, has_content: bool) -> None:
        self._send = send
        self._headers = headers
        self._has_content = has_content

    async def __call__(self, message: Message) -> None:
        """Pass a part of the answer on."""
        if message["type"] == "http.response.start":
            headers = {**self._headers, **dict(message["headers"])}
            await self._send({**message, "headers": list(headers.items())})
        elif self._has_content:
            await self._send(message)
        else:
            await self._send({**message, "body": b""})


def _settings() -> Settings | None:
    try:
        return desk().settings
    except FinAgentError:  # the operation says what is wrong
        return None


def _raw(headers: Mapping[str, str]) -> dict[bytes, bytes]:
    return {name.encode(): value.encode() for name, value in headers.items()}
