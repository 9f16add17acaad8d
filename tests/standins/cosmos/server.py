"""The HTTP around the service: who may ask, what goes wrong on the way, and what an answer looks like."""

import asyncio
import base64
import hashlib
import hmac
from types import TracebackType
from typing import Self
from urllib.parse import unquote
from uuid import uuid4

from aiohttp import web

from tests.standins.cosmos.exchange import Request, Response
from tests.standins.cosmos.fault import Drop, Faults, Refuse, Stall
from tests.standins.cosmos.refusal import RefusedError
from tests.standins.cosmos.resource_id import is_rid
from tests.standins.cosmos.service import CosmosService, encode

KEY = base64.b64encode(b"the key of the stand-in, known to all").decode()
_LARGEST_REQUEST = 4 * 1024 * 1024


class CosmosStandIn:
    """A Cosmos account on a local port, in the running event loop.

    Attributes
    ----------
    service : CosmosService
        What is in it.
    faults : Faults
        What goes wrong.
    """

    def __init__(self, service: CosmosService | None = None, port: int = 0) -> None:
        self.service = service or CosmosService()
        self.faults = Faults()
        self._port = port
        self._closing = asyncio.Event()

    @property
    def url(self) -> str:
        """The account's endpoint."""
        return self.service.url

    async def __aenter__(self) -> Self:
        application = web.Application(client_max_size=_LARGEST_REQUEST)
        application.router.add_route("*", "/{tail:.*}", self._handle)
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self._port).start()
        self.service.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}/"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closing.set()
        await self._runner.cleanup()

    async def _handle(self, asked: web.Request) -> web.StreamResponse:
        path = tuple(unquote(part) for part in asked.raw_path.partition("?")[0].split("/") if part)
        headers = {name.lower(): value for name, value in asked.headers.items()}
        request = Request(asked.method, path, headers, await asked.read())
        match self.faults.take(request):
            case Refuse() as fault:
                return _send(_refuse(fault))
            case (Drop() | Stall()) as fault:
                if fault.after_commit:
                    self._answer(request)
                if isinstance(fault, Stall):
                    await self._closing.wait()
                assert asked.transport is not None
                asked.transport.abort()
        return _send(self._answer(request))

    def _answer(self, request: Request) -> Response:
        try:
            _authorise(request)
            return self.service.answer(request)
        except RefusedError as refusal:
            headers = {"x-ms-substatus": str(refusal.substatus)} if refusal.substatus else {}
            body = {"code": refusal.code, "message": refusal.message}
            return Response(refusal.status, body, {"x-ms-request-charge": "1.00"} | headers | refusal.headers)


def _refuse(fault: Refuse) -> Response:
    headers = {} if fault.retry_after_ms is None else {"x-ms-retry-after-ms": str(fault.retry_after_ms)}
    headers |= {"x-ms-substatus": str(fault.substatus)} if fault.substatus else {}
    return Response(fault.status, {"code": str(fault.status), "message": "a fault of the stand-in"}, headers)


def _send(response: Response) -> web.Response:
    common = {"x-ms-activity-id": str(uuid4()), "x-ms-version": "2020-07-15", "x-ms-gatewayversion": "2.0.0"}
    body = encode(response.body)
    return web.Response(
        status=response.status, body=body, headers=common | response.headers, content_type="application/json"
    )


def _authorise(request: Request) -> None:
    path = request.path
    kind = path[-1] if len(path) % 2 else path[-2] if path else ""
    link = "/".join(path[:-1] if len(path) % 2 else path)
    if link and is_rid(path[1]):
        link = link.rpartition("/")[2].lower()
    link = "" if kind == "offers" else link
    text = f"{request.method.lower()}\n{kind}\n{link}\n{request.headers.get('x-ms-date', '').lower()}\n\n"
    digest = hmac.new(base64.b64decode(KEY), text.encode(), hashlib.sha256).digest()
    expected = f"type=master&ver=1.0&sig={base64.b64encode(digest).decode()}"
    if not hmac.compare_digest(unquote(request.headers.get("authorization", "")), expected):
        message = "The input authorization token can't serve the request. The wrong key is being used"
        raise RefusedError(401, message)
