"""Methods and headers that hold for every address."""

import httpx
import pytest

from tests.e2e.refusal import refused

PATHS = {
    "/api/events": "GET, HEAD, OPTIONS",
    "/api/events/some-id": "GET, HEAD, OPTIONS",
    "/api/stream": "GET, HEAD, OPTIONS",
    "/api/trades": "POST, OPTIONS",
    "/api/trades/some-id": "GET, HEAD, OPTIONS",
    "/api/options": "POST, OPTIONS",
    "/api/options/some-id": "GET, HEAD, OPTIONS",
    "/api/questions": "POST, OPTIONS",
    "/api/questions/some-id": "GET, HEAD, OPTIONS",
    "/api/trades/some-id/why": "GET, HEAD, OPTIONS",
    "/api/agents/oracle": "GET, HEAD, OPTIONS",
    "/api/recoveries": "POST, OPTIONS",
    "/api/replays": "GET, POST, HEAD, OPTIONS",
    "/api/replays/some-id": "GET, HEAD, OPTIONS",
    "/api/portfolios": "GET, HEAD, OPTIONS",
    "/api/portfolios/main": "GET, PUT, HEAD, OPTIONS",
    "/api/portfolios/main/rebalance": "GET, HEAD, OPTIONS",
    "/api/news": "POST, OPTIONS",
    "/api/bars/AAPL": "GET, HEAD, OPTIONS",
    "/api/forecasts/AAPL": "GET, HEAD, OPTIONS",
    "/api/agents": "GET, HEAD, OPTIONS",
    "/api/topology": "GET, HEAD, OPTIONS",
    "/api/schemas": "GET, HEAD, OPTIONS",
    "/api/health": "GET, HEAD, OPTIONS",
    "/api/openapi.json": "GET, HEAD, OPTIONS",
    "/api/docs": "GET, HEAD, OPTIONS",
    "/": "GET, HEAD, OPTIONS",
}
READABLE = (
    "/api/events?limit=3",
    "/api/stream?limit=3",
    "/api/portfolios",
    "/api/bars/AAPL?as_of=2008-09-01T00:00:00Z",
    "/api/agents",
    "/api/topology",
    "/api/schemas",
    "/api/schemas/news.received",
    "/api/health",
    "/api/openapi.json",
    "/api/docs",
    "/api/docs/page.js",
    "/api/docs/page.css",
)


@pytest.mark.parametrize(("path", "allowed"), PATHS.items())
def test_method_when_it_is_wrong_is_refused_with_the_right_ones(api: httpx.Client, path: str, allowed: str) -> None:
    for method in ("GET", "POST", "PUT", "PATCH", "DELETE"):
        if method not in allowed:
            response = api.request(method, path)
            refused(response, 405)
            assert response.headers["allow"] == allowed


@pytest.mark.parametrize("method", ["PROPFIND", "TRACE", "QUERY"])
def test_method_when_it_is_exotic_is_refused(api: httpx.Client, method: str) -> None:
    response = api.request(method, "/api/events")
    refused(response, 405)
    assert "GET" in response.headers["allow"]


@pytest.mark.parametrize(("path", "allowed"), PATHS.items())
def test_options_when_the_address_exists_tell_its_methods(api: httpx.Client, path: str, allowed: str) -> None:
    response = api.options(path)
    assert (response.status_code, response.content) == (204, b"")
    assert response.headers["allow"] == allowed


@pytest.mark.parametrize("method", ["OPTIONS", "DELETE", "POST"])
def test_method_when_nothing_is_at_the_address_is_not_found(api: httpx.Client, method: str) -> None:
    refused(api.request(method, "/api/nothing"), 404)


@pytest.mark.parametrize("path", READABLE)
def test_head_when_the_address_can_be_read_is_the_same_without_content(api: httpx.Client, path: str) -> None:
    head, full = api.head(path), api.get(path)
    assert (head.status_code, head.content) == (200, b"")
    # The desk lives on: its health, and what it has views on, may differ between two requests.
    live = {"date"} if path not in ("/api/health", "/api/agents") else {"date", "content-length"}
    assert _without(head.headers, live) == _without(full.headers, live)
    assert int(head.headers["content-length"]) > 0


def test_head_when_nothing_is_there_has_no_content(api: httpx.Client) -> None:
    head = api.head("/api/events/no-such-event")
    assert (head.status_code, head.content) == (404, b"")


@pytest.mark.parametrize("path", READABLE)
def test_answer_when_it_is_read_has_safe_headers(api: httpx.Client, path: str) -> None:
    headers = api.get(path).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["content-type"]
    assert "server" not in headers
    assert "x-powered-by" not in headers
    assert not [name for name in headers if "python" in headers[name] or "uvicorn" in headers[name]]


@pytest.mark.parametrize(
    ("path", "policy"),
    [
        ("/api/events", "no-cache"),
        ("/api/stream?limit=1", "no-store"),
        ("/api/portfolios", "no-store"),
        ("/api/bars/AAPL", "no-store"),
        ("/api/health", "no-store"),
        ("/api/topology", "private, max-age=60"),
        ("/api/schemas", "private, max-age=60"),
        ("/api/docs", "no-cache"),
        ("/", "no-cache"),
    ],
)
def test_answer_when_it_may_be_kept_says_so(api: httpx.Client, path: str, policy: str) -> None:
    assert api.get(path).headers["cache-control"] == policy


def test_event_when_it_is_read_may_be_kept_as_it_never_changes(api: httpx.Client) -> None:
    event = api.get("/api/events?limit=1").json()["events"][0]
    response = api.get(f"/api/events/{event['id']}")
    assert response.json() == event
    assert response.headers["cache-control"] == "private, max-age=86400, immutable"


def _without(headers: httpx.Headers, names: set[str]) -> dict[str, str]:
    return {name: value for name, value in headers.items() if name not in names}
