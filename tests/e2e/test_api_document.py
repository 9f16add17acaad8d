"""The OpenAPI document and the page that shows it."""

import re
from html.parser import HTMLParser
from typing import Any

import httpx
import pytest
from openapi_schema_validator import OAS31Validator
from openapi_spec_validator import OpenAPIV31SpecValidator

from tests.bench.route import unlike
from tests.e2e.test_api_rebalances import latest

PROBLEM = {"$ref": "#/components/schemas/Problem"}
HEALTH = ("503", "/api/health")
ANSWERS = {
    "/api/events": "/api/events?limit=20",
    "/api/events/{event_id}": "/api/events/{event}",
    "/api/trades/{trade_id}": "/api/trades/{trade}",
    "/api/trades/{trade_id}/why": "/api/trades/{trade}/why",
    "/api/options/{request_id}": "/api/options/{options}",
    "/api/questions/{question_id}": "/api/questions/{question}",
    "/api/replays/{replay_id}": "/api/replays/{replay}",
    "/api/portfolios": "/api/portfolios",
    "/api/portfolios/{name}": "/api/portfolios/documented",
    "/api/portfolios/{name}/rebalance": "/api/portfolios/documented/rebalance",
    "/api/bars/{symbol}": "/api/bars/AAPL",
    "/api/forecasts/{symbol}": "/api/forecasts/AAPL",
    "/api/agents": "/api/agents",
    "/api/agents/{name}": "/api/agents/oracle",
    "/api/agents/{name}/views/{subject}": "/api/agents/market_analyst/views/AAPL",
    "/api/topology": "/api/topology",
    "/api/schemas": "/api/schemas",
    "/api/schemas/{event_type}": "/api/schemas/news.received",
    "/api/health": "/api/health",
    "/api/health/live": "/api/health/live",
}


@pytest.fixture(scope="module")
def document(api: httpx.Client) -> dict[str, Any]:
    """Give the OpenAPI document."""
    found: dict[str, Any] = api.get("/api/openapi.json").json()
    return found


def _operations(document: dict[str, Any]) -> list[tuple[str, str, dict[str, Any]]]:
    return [(method, path, operation) for path, item in document["paths"].items() for method, operation in item.items()]


def _conforms(document: dict[str, Any], schema: dict[str, Any], value: object) -> None:
    OAS31Validator({**schema, "components": document["components"]}).validate(value)


def test_document_when_it_is_read_is_valid_openapi_3_1(document: dict[str, Any]) -> None:
    assert document["openapi"].startswith("3.1")
    assert [str(error) for error in OpenAPIV31SpecValidator(document).iter_errors()] == []


def test_document_when_routes_are_measured_has_all_of_them_and_no_others(document: dict[str, Any]) -> None:
    assert unlike(document) == []


def test_document_when_it_points_somewhere_something_is_there(document: dict[str, Any]) -> None:
    pointers = set(re.findall(r"'\$ref': '#/components/schemas/(\w+)'", str(document)))
    assert "Problem" in pointers
    assert pointers <= document["components"]["schemas"].keys()


def test_document_when_an_operation_is_in_it_says_what_it_does(document: dict[str, Any]) -> None:
    operations = _operations(document)
    assert len(operations) == 35
    for _, _, operation in operations:
        assert operation["summary"]
        assert operation["description"].endswith(".")
        assert operation["tags"][0] in [tag["name"] for tag in document["tags"]]
    names = [operation["operationId"] for _, _, operation in operations]
    assert len(set(names)) == len(names)


def test_document_when_an_operation_may_refuse_says_how(document: dict[str, Any]) -> None:
    for _, path, operation in _operations(document):
        refusals = {
            code: answer for code, answer in operation["responses"].items() if code >= "400" and (code, path) != HEALTH
        }
        assert {"422"} <= refusals.keys()
        if "requestBody" in operation:
            assert {"400", "413", "415"} <= refusals.keys()
        for answer in refusals.values():
            assert answer["content"] == {"application/problem+json": {"schema": PROBLEM}}


def test_document_when_a_body_is_taken_has_an_example_that_fits(document: dict[str, Any]) -> None:
    taking = [operation for _, _, operation in _operations(document) if "requestBody" in operation]
    assert len(taking) == 6
    for operation in taking:
        (media, content), *others = operation["requestBody"]["content"].items()
        schema = document["components"]["schemas"][content["schema"]["$ref"].rpartition("/")[2]]
        assert (media, others) == ("application/json", [])
        assert schema["examples"]
        for example in schema["examples"]:
            _conforms(document, content["schema"], example)


def test_document_when_a_model_inherits_has_the_meaning_of_its_fields(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    assert "-1 to +1" in schemas["OpinionView"]["properties"]["stance"]["description"]
    assert "after the consensus" in schemas["OpinionView"]["properties"]["late"]["description"]
    assert not [name for name, schema in schemas.items() if "Attributes" in schema.get("description", "")]


@pytest.mark.parametrize("path", ANSWERS)
def test_document_when_an_answer_comes_has_described_it(api: httpx.Client, document: dict[str, Any], path: str) -> None:
    api.put("/api/portfolios/documented", json={"cash": 5, "positions": [{"symbol": "IBM", "quantity": 1}]})
    latest(api, "documented")
    trade = api.post(
        "/api/trades",
        json={"symbol": "IBM", "side": "buy", "quantity": 1, "portfolio": "documented"},
        headers={"Idempotency-Key": "documented"},
    ).json()["id"]
    wish = {"symbol": "IBM", "risk_budget": 1_000}
    options = api.post("/api/options", json=wish, headers={"Idempotency-Key": "documented"}).json()["id"]
    asked = {"text": "What is the forecast of IBM?"}
    question = api.post("/api/questions", json=asked, headers={"Idempotency-Key": "documented"}).json()["id"]
    week = {"first_day": "2008-01-02", "last_day": "2008-01-08", "symbols": ["AAPL"], "lookback_days": 10}
    replay = api.post("/api/replays", json=week, headers={"Idempotency-Key": "documented"}).json()["id"]
    answer = api.get(ANSWERS[path].format(event=trade, trade=trade, options=options, question=question, replay=replay))
    assert answer.status_code == 200
    described = document["paths"][path]["get"]["responses"]["200"]["content"]["application/json"]["schema"]
    _conforms(document, described, answer.json())


def test_document_when_a_refusal_comes_has_described_it(api: httpx.Client, document: dict[str, Any]) -> None:
    _conforms(document, PROBLEM, api.get("/api/events?limit=0").json())
    _conforms(document, PROBLEM, api.get("/api/nothing").json())


class _Page(HTMLParser):
    """Notes what a page loads, and what would need a laxer policy."""

    def __init__(self) -> None:
        super().__init__()
        self.addresses: list[str] = []
        self.inline: list[str] = []
        self._in_script = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._in_script = tag in ("script", "style")
        for name, value in attrs:
            if name in ("src", "href"):
                self.addresses.append(value or "")
            if name == "style" or name.startswith("on"):
                self.inline.append(name)

    def handle_endtag(self, tag: str) -> None:
        self._in_script = False

    def handle_data(self, data: str) -> None:
        if self._in_script and data.strip():
            self.inline.append(data)


def test_page_when_it_is_read_needs_nothing_from_elsewhere(api: httpx.Client) -> None:
    response = api.get("/api/docs")
    page = _Page()
    page.feed(response.text)
    assert response.headers["content-type"] == "text/html; charset=utf-8"
    assert page.inline == []
    assert {"/api/docs/page.js", "/api/docs/page.css"} <= set(page.addresses)
    for address in page.addresses:
        assert re.match(r"/[^/]|#", address)
        assert api.get(address if address.startswith("/") else "/api/docs").status_code == 200


def test_page_when_it_is_read_may_run_its_own_script_only(api: httpx.Client) -> None:
    policy = dict(part.split(" ", 1) for part in api.get("/api/docs").headers["content-security-policy"].split("; "))
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"
    assert policy["frame-ancestors"] == policy["base-uri"] == policy["form-action"] == "'none'"
    assert "unsafe" not in str(policy)


def test_page_when_it_shows_text_never_takes_it_for_markup(api: httpx.Client) -> None:
    script = api.get("/api/docs/page.js")
    assert script.headers["content-type"].startswith("text/javascript")
    assert api.get("/api/docs/page.css").headers["content-type"].startswith("text/css")
    for danger in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "Function(", ".style"):
        assert danger not in script.text
    assert "//cdn" not in script.text
    assert set(re.findall(r"https?://[^\s\"'`]+", script.text)) == set()
