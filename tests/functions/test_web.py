"""The dashboard's files, as the HTTP function serves what was built, or says that nothing was."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from functions.api import web
from functions.api.application import application
from functions.api.gate import Gate
from tests.functions.package import core_tools_keep
from tools.package import kept_at_home

SCRIPT = b"export const prices = [];" * 20
POLICY = {"script-src 'self'", "style-src 'self'", "default-src 'none'", "frame-ancestors 'none'", "form-action 'none'"}


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Give the folder of what was built, in which there is a page and a script in two encodings."""
    folder = tmp_path / "site"
    (folder / "assets").mkdir(parents=True)
    (folder / "index.html").write_text('<meta name="finagent-auth" content="auth">')
    for suffix, content in (("", SCRIPT), (".br", b"small"), (".gz", b"smaller")):
        (folder / "assets" / f"desk-1.js{suffix}").write_bytes(content)
    (folder / "components.js").write_bytes(SCRIPT)
    (tmp_path / "secret.txt").write_text("secret")
    monkeypatch.setattr(web, "FOLDER", folder)
    web._site.cache_clear()
    yield folder
    web._site.cache_clear()


@pytest.fixture
def client() -> httpx.AsyncClient:
    """Give a client without a socket between."""
    gate = Gate(application(), 1_000_000)
    return httpx.AsyncClient(transport=httpx.ASGITransport(gate), base_url="http://localhost")


async def test_page_when_it_is_built_says_who_may_call_and_what_may_run(site: Path, client: httpx.AsyncClient) -> None:
    answer = await client.get("/")
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.text == '<meta name="finagent-auth" content="none">'
    policy = set(answer.headers["content-security-policy"].split("; "))
    assert policy >= POLICY
    assert not any("unsafe" in part or "http" in part or "*" in part for part in policy)


async def test_page_when_callers_are_known_by_key_says_so(
    site: Path, client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FINAGENT_AUTH", "key")
    answer = await client.get("/")
    assert (answer.status_code, answer.text) == (200, '<meta name="finagent-auth" content="key">')


async def test_page_when_it_is_known_already_is_not_sent_again(site: Path, client: httpx.AsyncClient) -> None:
    first = await client.get("/")
    again = await client.get("/", headers={"If-None-Match": f'"other", W/{first.headers["etag"]}'})
    assert (again.status_code, again.content, again.headers["cache-control"]) == (304, b"", "no-cache")


@pytest.mark.parametrize(
    ("accepted", "encoding", "content"),
    [
        ("gzip, deflate, br", "br", b"small"),
        ("gzip;q=0.8", "gzip", b"smaller"),
        ("br;q=0, gzip", "gzip", b"smaller"),
        ("identity", None, SCRIPT),
    ],
)
async def test_file_when_it_is_asked_for_comes_in_what_the_client_reads(
    site: Path, client: httpx.AsyncClient, accepted: str, encoding: str | None, content: bytes
) -> None:
    async with client.stream("GET", "/assets/desk-1.js", headers={"Accept-Encoding": accepted}) as answer:
        assert b"".join([part async for part in answer.aiter_raw()]) == content
    assert answer.headers.get("content-encoding") == encoding
    assert answer.headers["content-type"].startswith("text/javascript")
    assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert answer.headers["vary"] == "Accept-Encoding"


async def test_file_when_its_name_stays_is_asked_for_each_time(site: Path, client: httpx.AsyncClient) -> None:
    answer = await client.get("/components.js")
    assert (answer.content, answer.headers["cache-control"]) == (SCRIPT, "no-cache")


@pytest.mark.parametrize(
    "path",
    [
        "/assets/../../secret.txt",
        "/assets/..%2f..%2fsecret.txt",
        "/assets/%2e%2e/%2e%2e/secret.txt",
        "/assets/..%5c..%5csecret.txt",
        "/assets/desk-1.js.br",
        "/assets/none.js",
        "/index.html",
        "/gallery/",
        "//assets/desk-1.js",
    ],
)
async def test_file_when_nothing_of_the_name_was_built_is_not_found(
    site: Path, client: httpx.AsyncClient, path: str
) -> None:
    answer = await client.get(path)
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"


async def test_page_when_nothing_is_built_says_how_to(
    client: httpx.AsyncClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(web, "FOLDER", tmp_path / "none")
    web._site.cache_clear()
    answer = await client.get("/")
    web._site.cache_clear()
    assert "make web" in answer.text
    assert "/api/docs" in answer.text


@pytest.mark.parametrize("name", ["index.html", "assets/desk-1.js", "assets/desk-1.js.br"])
def test_site_when_the_desk_is_deployed_goes_with_it(name: str) -> None:
    path = f"functions/api/site/{name}"
    assert not kept_at_home().match_file(path)
    assert not core_tools_keep(path)
