"""The function app, indexed once by Microsoft's worker, and a desk on an empty folder for each test."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping
from pathlib import Path

import pytest

from shared.settings import Settings
from shared.wiring import Desk, desk
from tests.functions import worker
from tests.functions.protos import TypedData
from tests.functions.worker import Indexed, Outcome

pytest.register_assert_rewrite("tests.functions.case")

ROOT = Path(__file__).parents[2]

type Invoke = Callable[[Indexed, TypedData, Mapping[str, TypedData]], Awaitable[Outcome]]


@pytest.fixture(scope="session")
def functions() -> dict[str, Indexed]:
    """Give the functions that the worker found, by name."""
    return {function.name: function for function in asyncio.run(worker.index(ROOT))}


@pytest.fixture(params=[worker.invoke, worker.invoke_natively], ids=["protobuf", "native"])
def invoke(request: pytest.FixtureRequest) -> Invoke:
    """Give each way in which the worker invokes a function."""
    way: Invoke = request.param
    return way


@pytest.fixture(autouse=True)
def own_desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Have the process build its desk on an empty folder, when a function asks for it."""
    for field in Settings.model_fields.values():
        monkeypatch.delenv(str(field.alias), raising=False)
    monkeypatch.setenv("FINAGENT_DATA", str(tmp_path))
    # Time stands still, so that what a test expects does not depend on how long it takes.
    monkeypatch.setenv("FINAGENT_SPEED", "0.001")
    monkeypatch.setenv("FINAGENT_LOOKBACK_DAYS", "10")
    desk.cache_clear()
    yield
    if desk.cache_info().currsize:
        asyncio.run(desk().close())
    desk.cache_clear()


@pytest.fixture
def opened() -> Callable[[], Desk]:
    """Give the desk that the functions work on."""
    return desk
