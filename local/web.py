"""Serves the HTTP functions: each request becomes what the Functions worker hands a function, and back."""

import asyncio
import re
import socket
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from http import HTTPStatus

import azure.functions as func
import uvicorn
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from local.invocation import invocation
from local.registration import Registered
from shared.errors import InvalidError

type Reads = set[asyncio.Task[func.HttpResponse]]

HOST = "127.0.0.1"
# A page of another site can have its name resolved to this machine, but it cannot change what it calls the desk.
_NAMES = re.compile(r"(127\.0\.0\.1|localhost)(:\d+)?", re.IGNORECASE)

# The front server of the Functions host refuses longer ones too.
MAX_ADDRESS_BYTES = 8_192
MAX_HEADER_BYTES = 32_768
MAX_BODY_BYTES = 4_000_000
BODY_SECONDS = 20.0
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
        The reads that are under way. A function whose task is cancelled may still answer with what there is.
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
    app = Starlette(
        routes=[_route(function, route_prefix, body_seconds, reads) for function in functions],
        exception_handlers={HTTPException: _refuse},
    )
    config = uvicorn.Config(
        app,
        lifespan="off",
        ws="none",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_graceful_shutdown=drain_seconds,
    )
    return Server(config, reads)


def _route(function: Registered, prefix: str, body_seconds: float, reads: Reads) -> Route:
    template = str(function.trigger.get("route") or function.name).replace("{*path}", "{path:path}")
    path = "/" + "/".join(part for part in (prefix.strip("/"), template) if part)
    methods = [str(getattr(method, "value", method)) for method in function.trigger.get("methods", ("GET", "POST"))]
    return Route(path, _endpoint(function, body_seconds, reads), methods=methods)


def _endpoint(function: Registered, body_seconds: float, reads: Reads) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        address, headers = _address(request), _headers(request)
        incoming = func.HttpRequest(
            method=request.method,
            url=address,
            headers=headers,
            params=dict(request.query_params),
            route_params=dict(request.path_params),
            body=await _body(request, body_seconds),
        )
        invoking = asyncio.create_task(_invoked(function, incoming))
        if request.method in ("GET", "HEAD"):
            reads.add(invoking)
            invoking.add_done_callback(reads.discard)
        return _response(await _finished(invoking), has_content=request.method != "HEAD")

    return endpoint


async def _invoked(function: Registered, incoming: func.HttpRequest) -> func.HttpResponse:
    with invocation(function.name) as invocation_id:
        answer: func.HttpResponse = await function.invoke(incoming, invocation_id)
        return answer


async def _finished(invoking: asyncio.Task[func.HttpResponse]) -> func.HttpResponse:
    try:
        return await invoking
    except asyncio.CancelledError as error:  # the server cancels what holds it up when it stops, and nothing else does
        raise HTTPException(503, "this desk is about to stop", {"Retry-After": "1"}) from error


def _address(request: Request) -> str:
    """Give the address as it was sent, percent-encoded."""
    if not _NAMES.fullmatch(request.headers.get("host", "")):
        raise Refusal(421, "host", f"this desk answers to {HOST} and localhost only")
    path, query = request.scope["raw_path"].decode("latin-1"), request.scope["query_string"].decode("latin-1")
    if len(path) + len(query) > MAX_ADDRESS_BYTES:
        raise Refusal(414, "address", f"more than {MAX_ADDRESS_BYTES} bytes")
    host, port = request.scope["server"]
    return f"http://{host}:{port}{path}" + (f"?{query}" if query else "")


def _headers(request: Request) -> dict[str, str]:
    """Give the headers; one that comes several times is joined by commas, as the platform does."""
    if sum(len(name) + len(value) for name, value in request.headers.raw) > MAX_HEADER_BYTES:
        raise Refusal(431, "headers", f"more than {MAX_HEADER_BYTES} bytes")
    headers: dict[str, str] = {}
    for name, value in request.headers.items():
        headers[name] = f"{headers[name]},{value}" if name in headers else value
    return headers


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


async def _refuse(_request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
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


def _response(answer: func.HttpResponse, *, has_content: bool) -> Response:
    """Turn what a function gave into a response.

    As from the platform, a body whose type is not named is of the answer's mimetype. The length is the body's own; a
    HEAD, which has none, keeps the one that it tells.
    """
    body = answer.get_body()
    headers = {key.lower(): value for key, value in answer.headers.items()}
    if has_content:
        headers.pop("content-length", None)
    if body:
        is_text = answer.mimetype.startswith("text/")
        headers.setdefault("content-type", answer.mimetype + (f"; charset={answer.charset}" if is_text else ""))
    return Response(body, answer.status_code, headers)
