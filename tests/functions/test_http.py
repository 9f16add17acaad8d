"""The HTTP function, invoked by Microsoft's worker, answers as it does on the embedded host."""

import json
from dataclasses import dataclass, field
from typing import Any

import azure.functions as func
import httpx
import pytest
from azure_functions_runtime.bindings.datumdef import Datum

from functions import api
from local import web
from local.registration import registrations
from tests.functions.conftest import Invoke
from tests.functions.host_message import http
from tests.functions.protos import TypedData
from tests.functions.worker import Indexed, Outcome

type Functions = dict[str, Indexed]

SITE = "http://localhost:7071"
JSON = {"Content-Type": "application/json"}
TRADE = b'{"symbol": "AAPL", "side": "buy", "quantity": 1}'
HOP = {"content-length", "date", "connection", "transfer-encoding"}
"""Headers that the server writes, on Azure the host's."""


@dataclass(frozen=True, slots=True)
class Case:
    """A request and the status that answers it."""

    method: str
    path: str
    status: int
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)


CASES = {
    "root": Case("GET", "/", 200),
    "documentation": Case("GET", "/api/docs", 200),
    "query": Case("GET", "/api/events?limit=1&types=news.received,trade.requested&after=", 200),
    "empty-value": Case("GET", "/api/events?types=", 200),
    "encoded": Case("GET", "/api/bars/AAPL?from=2008-01-01T00%3A00%3A00%2B01%3A00&as_of=2008-01-02T00:00:00Z", 200),
    "unknown-query": Case("GET", "/api/topology?colour=red", 422),
    "other-etag": Case("GET", "/api/events?limit=1", 200, headers={"If-None-Match": '"other"'}),
    "head": Case("HEAD", "/api/topology", 200),
    "options": Case("OPTIONS", "/api/trades", 204),
    "unknown-route": Case("GET", "/api/nothing/h%C3%A9re", 404),
    "unknown-trade": Case("GET", "/api/trades/nothing", 404),
    "other-method": Case("DELETE", "/api/topology", 405),
    "trade": Case("POST", "/api/trades", 202, TRADE, JSON | {"Idempotency-Key": "once"}),
    "text": Case("POST", "/api/trades", 415, TRADE, {"Content-Type": "text/plain"}),
    "no-body": Case("POST", "/api/trades", 422, b"", JSON),
    "malformed": Case("POST", "/api/trades", 400, b"{", JSON),
    "binary": Case("POST", "/api/trades", 400, bytes(range(256)), JSON),
    "too-large": Case("POST", "/api/trades", 413, b" " * 1_000_001, JSON),
}


@pytest.fixture(scope="module")
def embedded() -> httpx.AsyncClient:
    """Give a client of the embedded host's HTTP side, without a socket between."""
    app = func.FunctionApp()  # one of its own, since one lists its functions only once
    app.register_functions(api.blueprint)
    served: Any = web.server(registrations(app, {}), route_prefix="", drain_seconds=1).config.app
    return httpx.AsyncClient(transport=httpx.ASGITransport(served), base_url=SITE)


async def ask(function: Indexed, invoke: Invoke, case: Case) -> Outcome:
    """Send a request the way the host does."""
    request, metadata = http(case.method, SITE + case.path, case.body, case.headers)
    return await invoke(function, request, metadata)


def test_every_http_function_is_tested_here(functions: Functions) -> None:
    found = {name: function.trigger for name, function in functions.items() if "http" in function.trigger["type"]}
    assert set(found) == {"api"}
    assert found["api"]["route"] == "{*path}"
    assert found["api"]["authLevel"].lower() == "anonymous"


@pytest.mark.parametrize("name", CASES)
async def test_api_when_the_worker_invokes_it_answers_as_on_the_embedded_host(
    functions: Functions, invoke: Invoke, embedded: httpx.AsyncClient, name: str
) -> None:
    case = CASES[name]
    expected = await embedded.request(case.method, case.path, content=case.body, headers=case.headers)
    outcome = await ask(functions["api"], invoke, case)
    assert outcome.problem == ""
    status, headers, body = answer(outcome)
    assert (status, body) == (case.status, expected.content)
    assert status == expected.status_code
    # The worker names a type even for an answer that has no content.
    untyped = {} if body or case.method == "HEAD" else {"content-type": "text/plain; charset=utf-8"}
    assert headers == untyped | {key: value for key, value in expected.headers.items() if key not in HOP}


async def test_api_when_no_body_comes_refuses_it_as_missing(functions: Functions, invoke: Invoke) -> None:
    status, headers, body = answer(await ask(functions["api"], invoke, CASES["no-body"]))
    assert (status, headers["content-type"]) == (422, "application/problem+json")
    assert json.loads(body)["errors"][0]["field"] == "body"


def answer(outcome: Outcome) -> tuple[int, dict[str, str], bytes]:
    """Give what the host gets to send: status, headers but the server's own, and body."""
    assert isinstance(outcome.returned, TypedData)
    sent = outcome.returned.http
    assert sent.cookies is None
    assert sent.enable_content_negotiation is False
    headers = {key.lower(): value for key, value in sent.headers.items()}
    body = Datum.from_typed_data(sent.body).value
    return int(sent.status_code), {key: value for key, value in headers.items() if key not in HOP}, body
