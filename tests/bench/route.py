"""How each route of the API is called under load. Which there are, the OpenAPI document says: none is forgotten."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import aiohttp

from shared.market.recorded import SYMBOLS
from tests.bench.measure import BenchError
from tests.bench.panel import PORTFOLIO, a_trade


def _nothing(_number: int) -> None:
    return None


def _trade(number: int) -> dict[str, Any]:
    return a_trade(number).model_dump(mode="json")


def _news(number: int) -> dict[str, Any]:
    headline = f"Quarter {number} closes above what analysts had expected"
    return {"headline": headline, "symbols": [SYMBOLS[number % len(SYMBOLS)]]}


def _option(number: int) -> dict[str, Any]:
    return {"symbol": SYMBOLS[number % len(SYMBOLS)], "view": 0.5, "risk_budget": 1_000}


def _question(number: int) -> dict[str, Any]:
    return {"text": f"What moved {SYMBOLS[number % len(SYMBOLS)]} this week?"}


def _replay(_number: int) -> dict[str, Any]:
    return {"symbols": SYMBOLS[:1], "first_day": "2008-01-02", "last_day": "2008-01-04", "cash": 100_000}


def _holdings(number: int) -> dict[str, Any]:
    held = PORTFOLIO.model_dump(mode="json", exclude_none=True, exclude={"portfolio"})
    return held | {"cash": 1e6 + number}


@dataclass(frozen=True, slots=True)
class Route:
    """One operation, and how it is called.

    Attributes
    ----------
    template : str
        The path as in the OpenAPI document.
    body : callable
        Gives the JSON of the call with a number.
    status : int
        What must be answered.
    per_second : float
        Calls in a second.
    """

    method: str
    template: str
    per_second: float
    query: str = ""
    body: Callable[[int], Any] = _nothing
    status: int = 200

    @property
    def name(self) -> str:
        """Method, path and query."""
        return f"{self.method} {self.template}{self.query}"


REQUEST_TRADE = Route("POST", "/api/trades", 5, body=_trade, status=202)
PUT_PORTFOLIO = Route("PUT", "/api/portfolios/{name}", 2, body=_holdings)
REQUEST_OPTIONS = Route("POST", "/api/options", 2, body=_option, status=202)
ASK_QUESTION = Route("POST", "/api/questions", 2, body=_question, status=202)
REQUEST_REPLAY = Route("POST", "/api/replays", 0.04, body=_replay, status=202)
GET_HEALTH = Route("GET", "/api/health", 2)
GET_DOCUMENT = Route("GET", "/api/openapi.json", 1)
ROUTES = (
    REQUEST_TRADE,
    PUT_PORTFOLIO,
    REQUEST_OPTIONS,
    ASK_QUESTION,
    REQUEST_REPLAY,
    GET_HEALTH,
    Route("GET", "/api/health/live", 2),
    Route("POST", "/api/news", 2, body=_news, status=202),
    Route("GET", "/api/events", 5, "?limit=50"),
    Route("GET", "/api/events/{event_id}", 5),
    Route("GET", "/api/stream", 5, "?limit=50"),
    Route("GET", "/api/trades/{trade_id}", 5),
    Route("GET", "/api/trades/{trade_id}/latency", 2),
    Route("GET", "/api/trades/{trade_id}/why", 2),
    Route("GET", "/api/options/{request_id}", 5),
    Route("GET", "/api/questions/{question_id}", 5),
    Route("GET", "/api/replays", 2),
    Route("GET", "/api/replays/{replay_id}", 2),
    Route("POST", "/api/recoveries", 0.04, "?since=2008-09-11T00:00:00Z", status=202),
    Route("GET", "/api/costs", 1),
    Route("GET", "/api/portfolios", 5),
    Route("GET", "/api/portfolios/{name}", 5),
    Route("GET", "/api/portfolios/{name}/rebalance", 5),
    Route("GET", "/api/bars/{symbol}", 5),
    Route("GET", "/api/forecasts/{symbol}", 5),
    Route("GET", "/api/dead-letters", 2),
    Route("POST", "/api/dead-letters/{id}/redrive", 2, status=404),
    Route("GET", "/api/agents", 5),
    Route("GET", "/api/agents/{name}", 5),
    Route("GET", "/api/agents/{name}/memory", 5, "?q=buy+IBM"),
    Route("DELETE", "/api/memory", 0.2, "?source=none"),
    Route("GET", "/api/agents/{name}/views/{subject}", 5),
    Route("GET", "/api/topology", 2),
    Route("GET", "/api/schemas", 2),
    Route("GET", "/api/schemas/{event_type}", 2),
)
OUTSIDE = (GET_DOCUMENT, Route("GET", "/api/docs", 1))
"""Routes that the document does not list."""


def unlike(document: dict[str, Any]) -> list[tuple[str, str]]:
    """Give the operations that only the OpenAPI document or only `ROUTES` has."""
    listed = {(method.upper(), path) for path, item in document["paths"].items() for method in item}
    return sorted(listed ^ {(route.method, route.template) for route in ROUTES})


class Caller:
    """Calls routes of a desk, with values that the desk knows in the place of their parameters."""

    def __init__(self, client: aiohttp.ClientSession, values: dict[str, str]) -> None:
        self._client = client
        self._values = values

    @classmethod
    async def prepare(cls, client: aiohttp.ClientSession) -> "Caller":
        """Put a portfolio and a trade into the desk, and see that no route is forgotten.

        Raises
        ------
        BenchError
            The OpenAPI document has an operation that is not in `ROUTES`, or the other way round.
        """
        caller = cls(client, {"name": PORTFOLIO.portfolio, "event_type": "consensus.reached", "id": "events:none:1"})
        if apart := unlike(await caller.call(GET_DOCUMENT)):
            raise BenchError(f"ROUTES and the OpenAPI document differ in {apart}")
        await caller.call(PUT_PORTFOLIO)
        trade = await caller.call(REQUEST_TRADE)
        caller._values |= {"trade_id": trade["id"], "event_id": trade["id"]}
        first = {"request_id": REQUEST_OPTIONS, "question_id": ASK_QUESTION, "replay_id": REQUEST_REPLAY}
        caller._values |= {name: (await caller.call(route))["id"] for name, route in first.items()}
        return caller

    async def call(self, route: Route, number: int = 0) -> Any:
        """Call a route, and give what is answered, decoded where it is JSON.

        Raises
        ------
        BenchError
            Another status than the route's.
        """
        async with self._client.request(route.method, self._address(route, number), json=route.body(number)) as answer:
            content = await (answer.json() if answer.content_type == "application/json" else answer.text())
        if answer.status != route.status:
            raise BenchError(f"{route.name} answered {answer.status}: {str(content)[:500]}")
        return content

    def _address(self, route: Route, number: int) -> str:
        symbol = SYMBOLS[number % len(SYMBOLS)]
        values = self._values | {"symbol": symbol, "subject": symbol}
        if route.template.startswith("/api/agents/"):
            values["name"] = "market_analyst"
        return (route.template + route.query).format(**values)
