"""Bodies that are wrong: each is answered by a problem that names the field, and nothing comes of it."""

import json
from typing import Any

import httpx
import pytest

from tests.e2e.refusal import refused

JSON = {"Content-Type": "application/json"}
TRADE = {"symbol": "AAPL", "side": "buy", "quantity": 1}
IBM = {"symbol": "IBM", "quantity": 1}
BODIES = [
    ("POST", "/api/trades"),
    ("PUT", "/api/portfolios/body"),
    ("POST", "/api/news"),
    ("POST", "/api/options"),
    ("POST", "/api/questions"),
    ("POST", "/api/replays"),
]


def _trade(**changes: Any) -> bytes:
    return json.dumps(TRADE | changes).encode()


@pytest.mark.parametrize(("method", "path"), BODIES)
@pytest.mark.parametrize(
    ("body", "status"),
    [
        pytest.param(b"", 422, id="empty"),
        pytest.param(b"{", 400, id="broken off"),
        pytest.param(b"nonsense", 400, id="no JSON"),
        pytest.param(b'{"symbol":"\xff"}', 400, id="not UTF-8"),
        pytest.param(b"[" * 100_000, 400, id="deep array"),
        pytest.param(b'{"a":' * 100_000, 400, id="deep object"),
        pytest.param(b'{"quantity":1' + b"0" * 5_000 + b"}", 400, id="number of 5,000 digits"),
        pytest.param(b"[]", 422, id="array"),
        pytest.param(b'"text"', 422, id="text"),
        pytest.param(b"null", 422, id="null"),
        pytest.param(b" " * 1_000_001, 413, id="over 1 MB"),
        pytest.param(b" " * 5_000_000, 413, id="over the host's own limit"),
    ],
)
def test_body_when_it_is_no_json_object_is_refused(
    api: httpx.Client, method: str, path: str, body: bytes, status: int
) -> None:
    refused(api.request(method, path, content=body, headers=JSON), status, "body")


@pytest.mark.parametrize(("method", "path"), BODIES)
@pytest.mark.parametrize(
    "declared", [None, "text/plain", "application/x-www-form-urlencoded", "json;;==", "image/jpeg"]
)
def test_body_when_it_is_not_declared_as_json_is_refused(
    api: httpx.Client, method: str, path: str, declared: str | None
) -> None:
    headers = {"Content-Type": declared} if declared else {}
    refused(api.request(method, path, content=_trade(), headers=headers), 415, "content-type")


@pytest.mark.parametrize(("method", "path"), BODIES)
def test_body_when_a_field_is_unknown_is_refused(api: httpx.Client, method: str, path: str) -> None:
    known: dict[str, dict[str, object]] = {"/api/trades": {**TRADE}, "/api/news": {"headline": "x"}}
    known["/api/replays"] = {"first_day": "2008-01-02", "last_day": "2008-01-03", "symbols": ["AAPL"]}
    known["/api/options"] = {"symbol": "AAPL", "risk_budget": 1}
    known["/api/questions"] = {"text": "x"}
    refused(api.request(method, path, json=known.get(path, {"cash": 1}) | {"colour": "red"}), 422, "colour")


def test_body_when_it_has_exactly_the_most_bytes_is_read(api: httpx.Client) -> None:
    body = _trade(side="hold")
    refused(api.post("/api/trades", content=body + b" " * (1_000_000 - len(body)), headers=JSON), 422, "side")


def test_body_when_its_charset_is_named_is_read(api: httpx.Client) -> None:
    headers = {"Content-Type": "Application/JSON; charset=utf-8"}
    refused(api.post("/api/trades", content=_trade(side="hold"), headers=headers), 422, "side")


@pytest.mark.parametrize(
    "quantity",
    [
        *("NaN", "Infinity", "-Infinity", "1e400", "-1", "0", "-0.0", "1e308", "1000000001", "1" + "0" * 400),
        *("true", '"5"', "null", "[1]", "{}"),
    ],
)
def test_trade_when_its_quantity_is_no_number_of_shares_is_refused(api: httpx.Client, quantity: str) -> None:
    body = f'{{"symbol":"AAPL","side":"buy","quantity":{quantity}}}'.encode()
    refused(api.post("/api/trades", content=body, headers=JSON), 422, "quantity")


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"symbol": "ZZZZ"}, "symbol"),
        ({"symbol": "aapl"}, "symbol"),
        ({"symbol": ""}, "symbol"),
        ({"symbol": None}, "symbol"),
        ({"symbol": "AAPL\u0000"}, "symbol"),
        ({"symbol": "\ud800"}, "symbol"),
        ({"symbol": "A" * 900_000}, "symbol"),
        ({"side": "hold"}, "side"),
        ({"side": "BUY"}, "side"),
        ({"side": None}, "side"),
        ({"portfolio": "nobody's"}, "portfolio"),
        ({"portfolio": "nobody"}, "portfolio"),
        ({"portfolio": 1}, "portfolio"),
        ({"portfolio": ""}, "portfolio"),
    ],
)
def test_trade_when_a_field_is_wrong_is_refused(api: httpx.Client, changes: dict[str, Any], field: str) -> None:
    problem = refused(api.post("/api/trades", content=_trade(**changes), headers=JSON), 422, field)
    assert len(json.dumps(problem)) < 2_000


@pytest.mark.parametrize("field", ["symbol", "side", "quantity"])
def test_trade_when_a_field_is_missing_is_refused(api: httpx.Client, field: str) -> None:
    trade = {name: value for name, value in TRADE.items() if name != field}
    refused(api.post("/api/trades", json=trade), 422, field)


@pytest.mark.parametrize(
    ("holdings", "field"),
    [
        ({}, "cash"),
        ({"cash": "NaN"}, "cash"),
        ({"cash": -0.01}, "cash"),
        ({"cash": 1e13}, "cash"),
        ({"cash": True}, "cash"),
        ({"cash": float("nan")}, "cash"),
        ({"cash": float("inf")}, "cash"),
        ({"cash": 1, "positions": {}}, "positions"),
        ({"cash": 1, "positions": [1]}, "positions.0"),
        ({"cash": 1, "positions": [{"symbol": "IBM"}]}, "positions.0.quantity"),
        ({"cash": 1, "positions": [{"symbol": "IBM", "quantity": 0}]}, "positions.0.quantity"),
        ({"cash": 1, "positions": [{"symbol": "IBM", "quantity": -5}]}, "positions.0.quantity"),
        ({"cash": 1, "positions": [{"symbol": "IBM", "quantity": float("nan")}]}, "positions.0.quantity"),
        ({"cash": 1, "positions": [{"symbol": "IBM", "quantity": 1e300}]}, "positions.0.quantity"),
        ({"cash": 1, "positions": [{"symbol": "IBM", "quantity": 1, "average_price": 0}]}, "positions.0.average_price"),
        ({"cash": 1, "positions": [{"symbol": "IBM", "quantity": 1, "price": 1}]}, "positions.0.price"),
        ({"cash": 1, "positions": [IBM, {"symbol": "ZZ", "quantity": 1}]}, "positions.1.symbol"),
        ({"cash": 1, "positions": [IBM] * 2}, "positions.1.symbol"),
        ({"cash": 1, "positions": [IBM] * 501}, "positions"),
    ],
)
def test_portfolio_when_a_field_is_wrong_is_refused_and_not_kept(
    api: httpx.Client, holdings: dict[str, Any], field: str
) -> None:
    body = json.dumps(holdings).encode()
    refused(api.put("/api/portfolios/refused", content=body, headers=JSON), 422, field)
    refused(api.get("/api/portfolios/refused"), 404)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"headline": ""}, "headline"),
        ({"headline": " \t"}, "headline"),
        ({"headline": "x" * 501}, "headline"),
        ({"headline": 1}, "headline"),
        ({"headline": None}, "headline"),
        ({"summary": "x" * 5_001}, "summary"),
        ({"symbols": "AAPL"}, "symbols"),
        ({"symbols": ["AAPL", "ZZZZ"]}, "symbols.1"),
        ({"symbols": ["aapl"]}, "symbols.0"),
        ({"symbols": ["AAPL"] * 51}, "symbols"),
        ({"published_at": "2008-09-01T00:00:00"}, "published_at"),
        ({"published_at": "2008-09-01"}, "published_at"),
        ({"published_at": 1_220_000_000}, "published_at"),
        ({"published_at": "1220000000"}, "published_at"),
        ({"published_at": "0001-01-01T00:00:00+14:00"}, "published_at"),
        ({"published_at": "9999-12-31T23:59:59-14:00"}, "published_at"),
        ({"published_at": "2100-01-01T00:00:00Z"}, "published_at"),
        ({"published_at": "2008-02-30T00:00:00Z"}, "published_at"),
        ({"published_at": "2008-09-01T00:00:00+99:00"}, "published_at"),
    ],
)
def test_news_when_a_field_is_wrong_is_refused(api: httpx.Client, changes: dict[str, Any], field: str) -> None:
    refused(api.post("/api/news", json={"headline": "IBM wins a contract"} | changes), 422, field)


def test_refusal_when_everything_is_wrong_stays_short(api: httpx.Client) -> None:
    body = json.dumps({f"{'k' * 50}{number}": 1 for number in range(15_000)}).encode()
    response = api.post("/api/trades", content=body, headers=JSON)
    assert len(refused(response, 422)["errors"]) == 20
    assert len(response.content) < 10_000


def test_refusal_when_a_name_is_huge_stays_short(api: httpx.Client) -> None:
    response = api.post("/api/trades", content=_trade(**{"k" * 900_000: 1}), headers=JSON)
    refused(response, 422, "k" * 100)
    assert len(response.content) < 2_000


def test_refusal_when_a_name_is_half_a_character_is_still_one(api: httpx.Client) -> None:
    refused(api.post("/api/trades", content=b'{"symbol":"AAPL","\\ud800":1}', headers=JSON), 422)
