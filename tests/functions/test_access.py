"""Who is let in: keys, principals, nobody; and what every answer says to browsers."""

import hashlib
import logging
from pathlib import Path

import pytest

from functions.api.access import ROLES
from functions.api.application import application
from functions.api.operation import Operation
from shared.callers.caller import Role
from shared.errors import InvalidError
from shared.wiring import desk
from tests.functions.guarded import OPERATE, READ, SITE, TENANT, TRADE, a_key, a_principal, client

NAMES = (
    "event_id",
    "trade_id",
    "request_id",
    "question_id",
    "replay_id",
    "name",
    "symbol",
    "subject",
    "event_type",
    "id",
)
TRADE_BODY = {"symbol": "IBM", "side": "buy", "quantity": 1}
HOLDINGS = {"cash": 7}


@pytest.fixture
def keys(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Have the desk ask for keys, and give the folder that they are in."""
    monkeypatch.setenv("FINAGENT_AUTH", "key")
    return tmp_path


@pytest.fixture
def signed_in(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the desk run in an app whose platform asks who calls."""
    monkeypatch.setenv("FINAGENT_AUTH", "entra")
    monkeypatch.setenv("WEBSITE_SITE_NAME", "desk")
    monkeypatch.setenv("WEBSITE_AUTH_ENABLED", "True")


def test_table_when_compared_with_the_routes_has_each_with_its_role() -> None:
    operations = [route for route in application().routes if isinstance(route, Operation)]
    found = {(method, route.path): route.role for route in operations for method in route.methods or ()}
    assert found == dict(ROLES)
    others = {getattr(route, "path", "/api/docs") for route in application().routes if not isinstance(route, Operation)}
    assert others == {"/api/openapi.json", "/api/docs"}  # and the dashboard's files, which everybody may have


async def test_key_when_none_is_shown_is_asked_for(keys: Path) -> None:
    async with client() as api:
        answer = await api.get("/api/events")
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == 'Bearer realm="finagent"'
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    "shown",
    [
        "Bearer",
        "Bearer x",
        "Bearer finagent_0123456789ab_" + "A" * 43,
        "Bearer {key}x",
        "Bearer {shorter}",
        "Basic {key}",
        "{key}",
        "bearer \u00fc",
    ],
)
async def test_key_when_it_is_wrong_is_refused(keys: Path, shown: str) -> None:
    _, right = await a_key(keys, "alice", READ)
    text = right["Authorization"].removeprefix("Bearer ")
    given = shown.format(key=text, shorter=text[:-1]).encode()
    async with client() as api:
        answer = await api.get("/api/topology", headers={b"Authorization": given})
        assert answer.status_code == 401
        assert 'error="invalid_token"' in answer.headers["www-authenticate"]
        assert text not in answer.text
        assert (await api.get("/api/topology", headers=right)).status_code == 200


async def test_key_when_another_has_its_id_is_refused(keys: Path) -> None:
    first, _ = await a_key(keys, "alice", READ)
    _, other = await a_key(keys, "bob", READ)
    secret = other["Authorization"].rpartition("_")[2]
    async with client({"Authorization": f"Bearer finagent_{first.id}_{secret[-43:]}"}) as api:
        assert (await api.get("/api/topology")).status_code == 401


@pytest.mark.parametrize(
    "query", ["key=x", "api_key=x", "access_token=x", "token=x", "after=finagent_0123", "limit=1&Authorization=x"]
)
async def test_key_when_it_is_in_an_address_is_refused_without_a_look(keys: Path, query: str) -> None:
    _, shown = await a_key(keys, "alice", READ)
    async with client(shown) as api:
        answer = await api.get(f"/api/stream?{query}")
    assert answer.status_code == 400
    assert "Authorization: Bearer" in answer.json()["detail"]


@pytest.mark.parametrize("address", ["/api/docs?key={}", "/?q={}", "/api/trades/{}", "/nowhere/{}/else", "/assets/{}"])
async def test_key_when_it_is_anywhere_in_an_address_is_refused_and_not_repeated(keys: Path, address: str) -> None:
    _, shown = await a_key(keys, "alice", READ)
    key = shown["Authorization"].removeprefix("Bearer ")
    async with client({}) as api:
        answer = await api.get(address.format(key))
    assert answer.status_code == 400
    assert "revoke" in answer.json()["detail"]
    assert key not in answer.text


@pytest.mark.parametrize("roles", [(READ,), (TRADE,), (OPERATE,), (TRADE, OPERATE)], ids=str)
@pytest.mark.parametrize(("method", "path"), ROLES, ids=" ".join)
async def test_route_when_a_role_calls_lets_in_whom_the_table_says(
    keys: Path, method: str, path: str, roles: tuple[Role, ...]
) -> None:
    needed = ROLES[method, path]
    granted = {None, READ, *roles}
    _, shown = await a_key(keys, "alice", *roles)
    async with client() as api:
        address = path.format(**dict.fromkeys(NAMES, "thing")) + ("?wait=0" if path == "/api/stream" else "")
        unknown = await api.request(method, address)
        known = await api.request(method, address, headers=shown)
    assert (unknown.status_code == 401) == (needed is not None)
    assert (known.status_code == 403) == (needed not in granted), known.text
    assert known.status_code != 401
    if needed not in granted:
        assert str(needed) in known.json()["detail"]


async def test_caller_when_it_asks_too_often_is_told_when_to_come_back(
    keys: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FINAGENT_REQUESTS_PER_SECOND", "0.001")
    (_, alice), (_, bob) = [await a_key(keys, owner, READ) for owner in ("alice", "bob")]
    async with client() as api:
        codes = [(await api.get("/api/topology", headers=alice)).status_code for _ in range(2)]
        refused = await api.get("/api/topology", headers=alice)
        other = await api.get("/api/topology", headers=bob)
        anybody = [(await api.get("/api/health")).status_code for _ in range(3)]
    assert codes == [200, 429]
    assert 900 <= int(refused.headers["retry-after"]) <= 1_000
    assert (refused.status_code, refused.headers["content-type"]) == (429, "application/problem+json")
    assert other.status_code == 200
    assert anybody == [200] * 3


async def test_health_when_nobody_is_known_says_only_whether_it_is_ready(keys: Path) -> None:
    _, shown = await a_key(keys, "alice", READ)
    async with client() as api:
        assert (await api.get("/api/health")).json() == {"status": "ready"}
        assert "backlog" in (await api.get("/api/health", headers=shown)).json()


@pytest.mark.usefixtures("signed_in")
async def test_principal_when_app_service_signs_in_is_its_tenant_and_account() -> None:
    async with client() as api:
        assert (await api.get("/api/portfolios")).status_code == 401
        alice, bob = a_principal("Alice-1", "trader"), a_principal("bob-1", "trader")
        assert (await api.put("/api/portfolios/main", json=HOLDINGS, headers=alice)).status_code == 200
        assert (await api.get("/api/portfolios/main", headers=a_principal("alice-1", "reader"))).status_code == 200
        assert (await api.get("/api/portfolios/main", headers=bob)).status_code == 404
        elsewhere = a_principal("alice-1", "reader", tenant="other")
        assert (await api.get("/api/portfolios/main", headers=elsewhere)).status_code == 404
        events = (await api.get("/api/events?types=portfolio.changed", headers=alice)).json()["events"]
    expected = hashlib.sha256(f"{TENANT} alice-1".encode()).hexdigest()[:32]
    assert [event["owner"] for event in events] == [expected]


@pytest.mark.usefixtures("signed_in")
@pytest.mark.parametrize(
    ("headers", "status"),
    [
        (a_principal("alice-1"), 403),
        (a_principal("alice-1", "admin", "Reader"), 403),
        (a_principal("alice-1", "reader"), 200),
        (a_principal("alice-1", "operator"), 200),
        (a_principal("alice-1", "reader", issuer="github"), 401),
        (a_principal("", "reader"), 401),
        (a_principal("alice-1", "reader", tenant=""), 401),
        ({"X-MS-CLIENT-PRINCIPAL": "?"}, 401),
        ({"X-MS-CLIENT-PRINCIPAL": "e30="}, 401),
        ({"X-MS-CLIENT-PRINCIPAL-ID": "alice-1"}, 401),
    ],
)
async def test_principal_when_it_is_read_has_the_roles_of_the_app_alone(headers: dict[str, str], status: int) -> None:
    async with client(headers) as api:
        assert (await api.get("/api/topology")).status_code == status


async def test_principal_when_the_desk_asks_for_keys_proves_nothing(keys: Path) -> None:
    async with client(a_principal("alice-1", "operator")) as api:
        assert (await api.get("/api/dead-letters")).status_code == 401


async def test_principal_when_the_desk_asks_nobody_is_nobody_else() -> None:
    async with client(a_principal("alice-1", "reader")) as api:
        await api.put("/api/portfolios/main", json=HOLDINGS)
        events = (await api.get("/api/events?types=portfolio.changed")).json()["events"]
    assert ["owner" in event for event in events] == [False]


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"WEBSITE_SITE_NAME": "desk"}, "FINAGENT_AUTH: none"),
        ({"WEBSITE_INSTANCE_ID": "1"}, "FINAGENT_AUTH: none"),
        ({"FINAGENT_AUTH": "entra"}, "FINAGENT_AUTH: entra"),
        ({"FINAGENT_AUTH": "entra", "WEBSITE_AUTH_ENABLED": "True"}, "FINAGENT_AUTH: entra"),
        ({"FINAGENT_AUTH": "entra", "WEBSITE_SITE_NAME": "desk", "WEBSITE_AUTH_ENABLED": "False"}, "entra"),
    ],
)
def test_desk_when_its_callers_could_not_be_told_apart_does_not_open(
    settings: dict[str, str], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(InvalidError, match=said):
        desk()


@pytest.mark.parametrize(
    ("origin", "status"),
    [
        (SITE, 202),
        ("https://app.example", 202),
        ("https://evil.example", 403),
        ("https://app.example.evil.example", 403),
        ("null", 403),
        (None, 202),
    ],
)
async def test_change_when_a_page_asks_for_it_is_of_a_page_that_may(
    origin: str | None, status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FINAGENT_CORS", "https://app.example")
    async with client({"Origin": origin} if origin else {}) as api:
        assert (await api.post("/api/trades", json=TRADE_BODY)).status_code == status
        assert (await api.get("/api/topology")).status_code == 200


async def test_page_of_another_site_when_it_is_named_may_read_the_answer(
    keys: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FINAGENT_CORS", "https://app.example")
    _, shown = await a_key(keys, "alice", READ)
    asking = {"Access-Control-Request-Method": "GET", "Access-Control-Request-Headers": "authorization"}
    async with client() as api:
        for origin, allowed in (("https://app.example", "https://app.example"), ("https://evil.example", None)):
            before = await api.options("/api/stream", headers={"Origin": origin, **asking})
            answer = await api.get("/api/stream?wait=0", headers={"Origin": origin, **shown})
            assert (before.status_code, answer.status_code) == (204, 200)
            assert before.headers.get("access-control-allow-origin") == allowed
            assert answer.headers.get("access-control-allow-origin") == allowed
            assert "authorization" in before.headers.get("access-control-allow-headers", "") or allowed is None
            assert "access-control-allow-credentials" not in answer.headers
            assert answer.headers["vary"] == "origin, authorization, cookie"


@pytest.mark.usefixtures("signed_in")
async def test_page_of_another_site_when_the_platform_signs_in_may_send_cookies(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("FINAGENT_CORS", "https://app.example")
    async with client(a_principal("alice-1", "reader") | {"Origin": "https://app.example"}) as api:
        answer = await api.get("/api/stream?wait=0")
    assert answer.headers["access-control-allow-credentials"] == "true"


async def test_answer_when_callers_are_known_tells_browsers_to_be_careful(keys: Path) -> None:
    _, shown = await a_key(keys, "alice", READ)
    async with client(shown) as api:
        for address in ("/api/topology", "/api/nothing", "/api/dead-letters"):
            headers = (await api.get(address)).headers
            assert headers["x-content-type-options"] == "nosniff"
            assert headers["content-security-policy"] == "default-src 'none'; frame-ancestors 'none'"
            assert headers["referrer-policy"] == "no-referrer"
            assert headers["strict-transport-security"].startswith("max-age=")
            assert headers["vary"] == "authorization, cookie"


async def test_document_when_callers_are_asked_says_how(keys: Path) -> None:
    async with client() as api:
        document = (await api.get("/api/openapi.json")).json()
    assert document["components"]["securitySchemes"]["key"]["scheme"] == "bearer"
    for (method, path), role in ROLES.items():
        operation = document["paths"][path][method.lower()]
        assert operation["security"] == [{"key": []}, *([{}] if role is None else [])]
        assert {"401", "429"} <= operation["responses"].keys()
        assert ("403" in operation["responses"]) == (role is not None)


async def test_change_when_it_is_asked_for_is_audited_without_the_key(
    keys: Path, caplog: pytest.LogCaptureFixture
) -> None:
    key, shown = await a_key(keys, "alice", TRADE)
    text = shown["Authorization"].removeprefix("Bearer ")
    with caplog.at_level(logging.INFO, "finagent.audit"):
        async with client() as api:
            made = (await api.post("/api/trades", json=TRADE_BODY, headers=shown)).headers["location"]
            await api.get("/api/topology", headers=shown)
            await api.post("/api/dead-letters/events:risk-manager:1/redrive", headers=shown)
            await api.put(f"/api/portfolios/{text[:-1]}", json=HOLDINGS)
            await api.put(f"/api/portfolios/{text}", json=HOLDINGS, headers=shown)
    said = [record.getMessage() for record in caplog.records if record.name == "finagent.audit"]
    caller = f"by key:{key.id} of alice"
    assert said == [
        f"POST '/api/trades' {caller}: 202 {made}",
        f"POST '/api/dead-letters/events:risk-manager:1/redrive' {caller}: 403 ",
        "PUT '/api/portfolios/(a key)' by nobody of the desk: 401 ",
        "PUT '/api/portfolios/(a key)' by nobody of the desk: 400 ",
    ]
    assert text not in caplog.text
