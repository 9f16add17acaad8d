"""The route class of the API's operations: what it makes of a signature."""

import asyncio
from collections.abc import Iterator
from pathlib import Path as FolderPath
from typing import Annotated, Any

import httpx
import pytest
from fastapi import FastAPI, Header, Path, Query, Response

from functions.api import operation, problem
from shared.settings import Settings
from shared.wiring import desk


@pytest.fixture(autouse=True)
def own_desk(tmp_path: FolderPath, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Have the operations ask a desk on an empty folder who calls."""
    for field in Settings.model_fields.values():
        monkeypatch.delenv(str(field.alias), raising=False)
    monkeypatch.setenv("FINAGENT_DATA", str(tmp_path))
    desk.cache_clear()
    yield
    asyncio.run(desk().close())
    desk.cache_clear()


SEEN: list[dict[str, Any]] = []


def _app() -> FastAPI:
    app = FastAPI()
    problem.install(app)
    router = operation.router("/things", "things")

    @router.get("/{thing}")
    async def get_thing(
        thing: Annotated[str, Path(max_length=3)],
        limit: Annotated[int, Query(ge=1)] = 10,
        start: Annotated[str, Query(alias="from")] = "",
        if_none_match: Annotated[str, Header()] = "",
    ) -> Response:
        SEEN.append({"thing": thing, "limit": limit, "start": start, "if_none_match": if_none_match})
        return Response("{}")

    app.router.routes.extend(router.routes)
    return app


async def _get(address: str, headers: dict[str, str] | None = None) -> httpx.Response:
    SEEN.clear()
    transport = httpx.ASGITransport(_app())
    async with httpx.AsyncClient(transport=transport, base_url="http://desk") as client:
        return await client.get(address, headers=headers)


async def test_operation_when_nothing_is_given_gets_its_defaults() -> None:
    assert (await _get("/things/a")).status_code == 200
    assert SEEN == [{"thing": "a", "limit": 10, "start": "", "if_none_match": ""}]


async def test_operation_when_all_is_given_gets_it_by_name_and_type() -> None:
    await _get("/things/b%20c?from=x%26y&limit=7", {"If-None-Match": '"tag"'})
    assert SEEN == [{"thing": "b c", "limit": 7, "start": "x&y", "if_none_match": '"tag"'}]


async def test_operation_when_a_parameter_is_empty_does_not_take_it_for_absent() -> None:
    assert (await _get("/things/a?limit=")).json()["errors"][0]["field"] == "limit"
    assert SEEN == []


async def test_operation_when_several_are_wrong_names_them_all() -> None:
    refusal = await _get("/things/long?limit=0")
    assert refusal.status_code == 422
    assert [error["field"] for error in refusal.json()["errors"]] == ["thing", "limit"]


@pytest.mark.parametrize(("query", "field"), [("limit=1&limit=1", "limit"), ("start=1", "start"), ("%C3%BC=1", "ü")])
async def test_operation_when_a_parameter_is_unknown_or_comes_twice_refuses_it(query: str, field: str) -> None:
    refusal = await _get(f"/things/a?{query}")
    assert (refusal.status_code, refusal.json()["errors"][0]["field"]) == (422, field)
    assert SEEN == []


def test_operation_when_it_is_described_has_its_parameters() -> None:
    (described,) = _app().openapi()["paths"].values()
    names = [(parameter["name"], parameter["in"]) for parameter in described["get"]["parameters"]]
    assert names == [("thing", "path"), ("limit", "query"), ("from", "query"), ("if-none-match", "header")]
    assert {"422", "503"} <= described["get"]["responses"].keys()
