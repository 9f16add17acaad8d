"""Serves the HTTP functions: each request becomes what the Functions worker hands a function, and back."""

import asyncio
import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qsl

import azure.functions as func
import uvicorn
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route, Router
from starlette.types import Receive, Scope, Send

from local.invocation import invocation
from local.registration import Registered
from shared.errors import InvalidError

type Reads = set[asyncio.Task[Any]]

HOST = "127.0.0.1"
# A page of another site can have its name resolved to this machine, but it cannot change what it calls the desk.
_NAMES = re.compile(r"(127\.0\.0\.1|localhost)(:\d+)?", re.IGNORECASE)

# The front server of the Functions host refuses longer ones too.
MAX_ADDRESS_BYTES = 8_192
MAX_HEADER_BYTES = 32_768
MAX_BODY_BYTES = 4_000_000
BODY_SECONDS = 20.0
_WITHOUT_CONTENT = (HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED)
# How long reads may go on when the desk is told to stop; a long poll would hold it up for as long as it may wait.
READ_DRAIN_SECONDS = 0.5


class Refusal(HTTPException):
    """A request that no function gets to see, for what is wrong with one part of it."""

    def __init__(self, status: int, part: str, message: str) -> None:
        super().__init__(status, f"{part}: {message}")
        self.errors = [{"field": part, "message": message}]


class Server(uvicorn.Server):
    """A uvicorn server that leaves signals to the host, tells when it answers, and cuts reads short when it stops.

    Parameters
    ----------
    reads : set of Task
        The tasks of the reads that are in a function. One that is cancelled may still answer with what there is.
    """

    def __init__(self, config: uvicorn.Config, reads: "Reads") -> None:
        super().__init__(config)
        self.answering = asyncio.Event()
        self._reads = reads

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, then say so."""
        await super().startup(sockets)
        self.answering.set()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Finish what is under way, without waiting for what may come."""
        cutting = asyncio.get_running_loop().call_later(READ_DRAIN_SECONDS, self._cut_reads_short)
        await super().shutdown(sockets)
        cutting.cancel()

    def _cut_reads_short(self) -> None:
        for read in self._reads:
            read.cancel()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture none."""
        yield


def bind(port: int) -> socket.socket:
    """Take the port on the loopback interface; 0 takes any free one.

    Raises
    ------
    InvalidError
        It is in use or not allowed.
    """
    # With the protocol unnamed asyncio would leave Nagle's algorithm on, and each answer would wait 40 ms for an ACK.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((HOST, port))
        # Binding alone would share the port with another that has not begun to listen either.
        listener.listen()
    except OSError as error:
        listener.close()
        raise InvalidError(f"port {port} cannot be used: {error.strerror}; choose another with --port") from error
    return listener


def server(
    functions: list[Registered], route_prefix: str, drain_seconds: int, body_seconds: float = BODY_SECONDS
) -> Server:
    """Give a server for the HTTP functions.

    Parameters
    ----------
    drain_seconds : int
        How long requests that are under way may take when it is told to stop.
    body_seconds : float
        How long a body may take to come in.
    """
    reads: Reads = set()
    config = uvicorn.Config(
        Front([_route(function, route_prefix, body_seconds, reads) for function in functions]),
        lifespan="off",
        ws="none",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_graceful_shutdown=drain_seconds,
    )
    return Server(config, reads)


class Front:
    """Leads a request to the function that its address belongs to, and answers what no function may see."""

    def __init__(self, routes: list[Route]) -> None:
        self._router = Router(routes)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        scope["app"] = self  # what it does not find, the router raises for an app, and answers in plain text for none
        try:
            await self._router(scope, receive, send)
        except HTTPException as error:
            await _refusal(error)(scope, receive, send)


def _route(function: Registered, prefix: str, body_seconds: float, reads: Reads) -> Route:
    template = str(function.trigger.get("route") or function.name).replace("{*path}", "{path:path}")
    path = "/" + "/".join(part for part in (prefix.strip("/"), template) if part)
    methods = [str(getattr(method, "value", method)) for method in function.trigger.get("methods", ("GET", "POST"))]
    route = Route(path, _Endpoint(function, body_seconds, reads), methods=methods)
    route.path_regex = re.compile(route.path_regex.pattern, re.DOTALL)  # `{*path}` takes newlines too
    return route


class _Endpoint:
    """The ASGI app of one function: Starlette's own around it would cost more than the way into the function."""

    def __init__(self, function: Registered, body_seconds: float, reads: Reads) -> None:
        self._function = function
        self._body_seconds = body_seconds
        self._reads = reads

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        address, headers = _address(scope), _headers(scope)
        incoming = func.HttpRequest(
            method=scope["method"],
            url=address,
            headers=headers,
            params=dict(parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)),
            route_params=scope["path_params"],
            body=await _body(Request(scope, receive), self._body_seconds) if _has_body(headers) else b"",
        )
        answer = await self._invoke(incoming)
        await _send(answer, send, has_content=scope["method"] != "HEAD")

    async def _invoke(self, request: func.HttpRequest) -> func.HttpResponse:
        invoking = asyncio.current_task()
        if request.method in ("GET", "HEAD") and invoking is not None:
            self._reads.add(invoking)
        try:
            with invocation(self._function.name) as invocation_id:
                answer: func.HttpResponse = await self._function.invoke(request, invocation_id)
        except asyncio.CancelledError as error:  # the server cancels what holds it up when it stops, and nothing else
            raise HTTPException(503, "this desk is about to stop", {"Retry-After": "1"}) from error
        finally:
            self._reads.discard(invoking)
        return answer


def _address(scope: Scope) -> str:
    """Give the address as it was sent, percent-encoded."""
    if not _NAMES.fullmatch(Headers(scope=scope).get("host", "")):
        raise Refusal(421, "host", f"this desk answers to {HOST} and localhost only")
    path, query = scope["raw_path"].decode("latin-1"), scope["query_string"].decode("latin-1")
    if len(path) + len(query) > MAX_ADDRESS_BYTES:
        raise Refusal(414, "address", f"more than {MAX_ADDRESS_BYTES} bytes")
    host, port = scope["server"]
    return f"http://{host}:{port}{path}" + (f"?{query}" if query else "")


def _headers(scope: Scope) -> dict[str, str]:
    """Give the headers; one that comes several times is joined by commas, as the platform does."""
    if sum(len(name) + len(value) for name, value in scope["headers"]) > MAX_HEADER_BYTES:
        raise Refusal(431, "headers", f"more than {MAX_HEADER_BYTES} bytes")
    headers: dict[str, str] = {}
    for raw_name, raw_value in scope["headers"]:
        name, value = raw_name.decode("latin-1"), raw_value.decode("latin-1")
        headers[name] = f"{headers[name]},{value}" if name in headers else value
    return headers


def _has_body(headers: dict[str, str]) -> bool:
    return "content-length" in headers or "transfer-encoding" in headers


async def _body(request: Request, seconds: float) -> bytes:
    """Give the body. What is beyond the limit is read and dropped, so that its sender gets to hear the answer."""
    body, size = bytearray(), 0
    try:
        async with asyncio.timeout(seconds):
            async for chunk in request.stream():
                size += len(chunk)
                if size <= MAX_BODY_BYTES:
                    body += chunk
    except TimeoutError as error:
        raise Refusal(408, "body", f"it did not come in within {seconds:g} s") from error
    except ClientDisconnect as error:
        raise Refusal(400, "body", "it broke off") from error
    if size > MAX_BODY_BYTES:
        raise Refusal(413, "body", f"more than {MAX_BODY_BYTES} bytes")
    return bytes(body)


def _refusal(error: HTTPException) -> Response:
    document = {
        "type": "about:blank",
        "title": HTTPStatus(error.status_code).phrase,
        "status": error.status_code,
        "detail": error.detail,
        "errors": error.errors if isinstance(error, Refusal) else [],
    }
    # What is left of a request that was not read to its end is no next request.
    headers = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", "Connection": "close"}
    return JSONResponse(
        document, error.status_code, headers | dict(error.headers or {}), media_type="application/problem+json"
    )


async def _send(answer: func.HttpResponse, send: Send, *, has_content: bool) -> None:
    """Send what a function gave.

    As from the platform, a body whose type is not named is of the answer's mimetype. The length is the body's own; a
    HEAD, which has none, keeps the one that it tells.
    """
    body = answer.get_body()
    headers = {name.lower(): value for name, value in answer.headers.items()}
    if has_content and answer.status_code not in _WITHOUT_CONTENT:
        headers["content-length"] = str(len(body))
    if body:
        is_text = answer.mimetype.startswith("text/")
        headers.setdefault("content-type", answer.mimetype + (f"; charset={answer.charset}" if is_text else ""))
    raw = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": answer.status_code, "headers": raw})
    await send({"type": "http.response.body", "body": body})
