"""What goes wrong below the API: lengths that lie, bodies that never end, headers without end."""

import asyncio
import json
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager

import azure.functions as func
import httpx
import pytest

from local import web
from local.registration import Registered
from tests.e2e.process import DeskProcess
from tests.e2e.refusal import refused

type Call = Callable[[func.HttpRequest], Awaitable[func.HttpResponse]]

POST = b"POST /api/trades HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
GET = b"GET /api/health HTTP/1.1\r\nHost: localhost\r\n"


@contextmanager
def _connection(desk: DeskProcess, sent: bytes) -> Iterator[socket.socket]:
    url = httpx.URL(desk.about["url"])
    with socket.create_connection((url.host, url.port or 80), timeout=10) as connection:
        connection.sendall(sent)
        yield connection


def _answer(connection: socket.socket) -> bytes:
    received = b""
    while chunk := connection.recv(65_536):
        received += chunk
    return received


def _is_ready(api: httpx.Client) -> bool:
    asked = time.monotonic()
    return api.get("/api/health").status_code == 200 and time.monotonic() - asked < 15


@pytest.mark.parametrize(
    "sent",
    [
        POST + b"Content-Length: 1\r\n\r\n{}",
        POST + b"Content-Length: -1\r\n\r\n{}",
        POST + b"Content-Length: two\r\n\r\n{}",
        POST + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\n{}",
        POST + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
        POST + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n",
        POST + b"Idempotency-Key: a\x00b\r\nContent-Length: 2\r\n\r\n{}",
        POST + b"Idempotency-Key: a\nX-Evil: 1\r\nContent-Length: 2\r\n\r\n{}",
        POST + b"Idempotency-Key: a\rX-Evil: 1\r\nContent-Length: 2\r\n\r\n{}",
        b"GET /api/events/\xff HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET /api/events/\x00 HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"\x16\x03\x01\x00 this is not HTTP\r\n\r\n",
    ],
)
def test_request_when_it_is_no_http_is_refused_and_the_connection_ends(
    desk: DeskProcess, api: httpx.Client, sent: bytes
) -> None:
    with _connection(desk, sent) as connection:
        connection.shutdown(socket.SHUT_WR)
        answers = _answer(connection).split(b"HTTP/1.1 ")[1:]
    # A length that is too short first makes a request of its own, which is refused as any other.
    assert answers
    assert {answer[:3] for answer in answers} <= {b"400", b"422"}
    assert b"X-Evil" not in b"".join(answers)
    assert _is_ready(api)


def test_body_when_its_end_never_comes_holds_nobody_up(desk: DeskProcess, api: httpx.Client) -> None:
    lies = (
        b"Content-Length: 100\r\n\r\n{}",
        b"Content-Length: 999999999999\r\n\r\n{",
        b"Transfer-Encoding: chunked\r\n\r\n",
    )
    with ExitStack() as opened:
        for lie in lies * 10:
            opened.enter_context(_connection(desk, POST + lie))
        assert _is_ready(api)
        assert api.put("/api/portfolios/unhindered", json={"cash": 1}).status_code == 200
    assert _is_ready(api)


def test_body_when_its_sender_goes_away_changes_nothing(desk: DeskProcess, api: httpx.Client) -> None:
    with _connection(desk, POST + b"Content-Length: 100\r\n\r\n{") as connection:
        connection.shutdown(socket.SHUT_WR)
        assert b"HTTP/1.1 5" not in _answer(connection)
    assert _is_ready(api)


def test_headers_when_there_are_too_many_are_refused_quickly(desk: DeskProcess, api: httpx.Client) -> None:
    asked = time.monotonic()
    with _connection(desk, GET + b"".join(b"X-%d: y\r\n" % number for number in range(20_000)) + b"\r\n") as connection:
        answer = _answer(connection)
    assert answer.startswith(b"HTTP/1.1 431 ")
    assert b"application/problem+json" in answer
    assert time.monotonic() - asked < 15
    assert _is_ready(api)


@pytest.mark.parametrize("path", [f"/api/events?stream={'a' * 8_200}", f"/api/events/{'a' * 60_000}"])
def test_address_when_it_is_very_long_is_refused(api: httpx.Client, path: str) -> None:
    refused(api.get(path), 414, "address")


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:80", "127.0.0.1.evil.example", "", "localhost:x", "[::1"]
)
def test_host_when_it_is_another_s_name_is_refused(api: httpx.Client, host: str) -> None:
    refused(api.get("/api/health", headers={"Host": host}), 421, "host")


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:7071", "127.0.0.1"])
def test_host_when_it_is_this_machine_s_name_is_answered(api: httpx.Client, host: str) -> None:
    assert api.get("/api/health", headers={"Host": host}).status_code == 200


def test_upgrade_when_it_is_asked_for_is_passed_over(desk: DeskProcess) -> None:
    upgrade = b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: x\r\n\r\n"
    with _connection(desk, GET + upgrade) as connection:
        assert connection.recv(65_536).startswith(b"HTTP/1.1 200 ")


async def _echo(req: func.HttpRequest) -> func.HttpResponse:
    seen = {"url": req.url, "size": len(req.get_body()), "twice": req.headers.get("x-twice")}
    return func.HttpResponse(json.dumps(seen))


async def _slow(req: func.HttpRequest) -> func.HttpResponse:
    await asyncio.sleep(2)
    return func.HttpResponse(req.method)


@asynccontextmanager
async def _served(call: Call = _echo, body_seconds: float = 5.0) -> AsyncIterator[int]:
    trigger = {"type": "httpTrigger", "route": "{*path}", "methods": ["GET", "POST", "HEAD"]}
    function = Registered("echo", trigger, "req", call, wants_context=False)
    listener = web.bind(0)
    server = web.server([function], "", 5, body_seconds)
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    await server.answering.wait()
    try:
        yield listener.getsockname()[1]
    finally:
        server.should_exit = True
        await serving


async def test_server_when_a_body_takes_too_long_gives_up_on_it() -> None:
    async with _served(body_seconds=0.2) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(POST + b"Content-Length: 10\r\n\r\n{")
        answer = await asyncio.wait_for(reader.read(), 5)
        writer.close()
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b'"field":"body"' in answer


async def test_server_when_a_body_is_trickled_gives_up_on_it() -> None:
    async with _served(body_seconds=0.3) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(POST + b"Content-Length: 1000\r\n\r\n")
        answering = asyncio.create_task(reader.read())
        while not answering.done():
            writer.write(b" ")
            await asyncio.sleep(0.02)
        assert answering.result().startswith(b"HTTP/1.1 408 ")
        writer.close()


async def test_server_when_a_body_is_beyond_its_limit_drops_it_and_answers() -> None:
    async with _served() as port, httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client:
        at_limit = await client.post("/", content=b" " * web.MAX_BODY_BYTES)
        beyond = await client.post("/", content=b" " * (web.MAX_BODY_BYTES + 1))
    assert at_limit.json()["size"] == web.MAX_BODY_BYTES
    refused(beyond, 413, "body")


async def test_server_when_an_address_is_encoded_hands_it_over_as_it_was_sent() -> None:
    async with _served() as port, httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client:
        answer = await client.get("/a%3Fb%23c%2Fd%20%C3%BC?x=%26%3D&y=%20")
        head = await client.head("/")
    assert answer.json()["url"] == f"http://127.0.0.1:{port}/a%3Fb%23c%2Fd%20%C3%BC?x=%26%3D&y=%20"
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert head.content == b""


async def test_server_when_a_header_comes_twice_joins_it() -> None:
    async with _served() as port, httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client:
        answer = await client.get("/", headers=[("X-Twice", "a"), ("x-twice", "b")])
    assert answer.json()["twice"] == "a,b"


async def test_server_when_a_sender_goes_away_has_nothing_to_complain_of(caplog: pytest.LogCaptureFixture) -> None:
    async with _served() as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(POST + b"Content-Length: 10\r\n\r\n{")
        writer.write_eof()
        await asyncio.wait_for(reader.read(), 5)
        writer.close()
    assert [record.message for record in caplog.records if record.levelname in ("ERROR", "CRITICAL")] == []


async def test_server_when_it_stops_gives_up_reads_but_finishes_writes() -> None:
    async with httpx.AsyncClient(trust_env=False) as client:
        async with _served(_slow) as port:
            url = f"http://127.0.0.1:{port}/"
            reading, writing = (asyncio.create_task(client.request(method, url)) for method in ("GET", "POST"))
            await asyncio.sleep(0.2)
        refused(await reading, 503)
        assert (await writing).status_code == 200


async def test_server_when_it_answers_sends_at_once() -> None:
    waits: list[int] = []

    def connected(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        waits.append(writer.get_extra_info("socket").getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
        writer.close()

    async with await asyncio.start_server(connected, sock=web.bind(0)) as server:
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        await reader.read()
        writer.close()
    assert waits == [1]
