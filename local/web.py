"""Serves the HTTP functions: each request becomes what the Functions worker hands a function, and back."""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from uuid import uuid4

import azure.functions as func
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from local.registration import Registered
from shared.errors import InvalidError

HOST = "127.0.0.1"


class Server(uvicorn.Server):
    """A uvicorn server that leaves signals to the host, and tells when it answers."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.answering = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, then say so."""
        await super().startup(sockets)
        self.answering.set()

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
    # asyncio turns Nagle off only where the protocol is named; with it on, each answer would wait 40 ms.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((HOST, port))
    except OSError as error:
        listener.close()
        raise InvalidError(f"port {port} cannot be used: {error.strerror}; choose another with --port") from error
    return listener


def server(functions: list[Registered], route_prefix: str, drain_seconds: int) -> Server:
    """Give a server for the HTTP functions."""
    app = Starlette(routes=[_route(function, route_prefix) for function in functions])
    config = uvicorn.Config(
        app,
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=drain_seconds,
    )
    return Server(config)


def _route(function: Registered, prefix: str) -> Route:
    template = str(function.trigger.get("route") or function.name).replace("{*path}", "{path:path}")
    path = "/" + "/".join(part for part in (prefix.strip("/"), template) if part)
    methods = [str(getattr(method, "value", method)) for method in function.trigger.get("methods", ("GET", "POST"))]
    return Route(path, _endpoint(function), methods=methods)


def _endpoint(function: Registered) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        incoming = func.HttpRequest(
            method=request.method,
            url=str(request.url),
            headers=dict(request.headers),
            params=dict(request.query_params),
            route_params=dict(request.path_params),
            body=await request.body(),
        )
        return _response(await function.invoke(incoming, str(uuid4())))

    return endpoint


def _response(answer: func.HttpResponse) -> Response:
    response = Response(answer.get_body(), answer.status_code)
    length = [(key, value) for key, value in response.raw_headers if key == b"content-length"]
    given = [(key.lower().encode("latin-1"), value.encode("latin-1")) for key, value in answer.headers.items()]
    response.raw_headers = [*(pair for pair in given if pair[0] != b"content-length"), *length]
    return response
