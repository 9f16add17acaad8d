"""One desk in a process of its own for all tests of the API; tests keep apart by the names that they choose."""

import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest

from tests.e2e.guarded import GUARDED_SETTINGS, Guarded
from tests.e2e.process import DeskProcess

pytest.register_assert_rewrite("tests.e2e.refusal", "tests.e2e.event_source")

START = "2008-09-11"
READY_SECONDS = 60


@pytest.fixture(scope="session")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DeskProcess]:
    """Give a desk that has read its history, at a day a second."""
    with (
        DeskProcess(tmp_path_factory.mktemp("api"), FINAGENT_START=START, FINAGENT_SPEED="86400") as running,
        _watched(running),
        running.client() as client,
    ):
        _wait_for_history(client)
        yield running


@pytest.fixture(scope="session")
def api(desk: DeskProcess) -> Iterator[httpx.Client]:
    """Give a client of the desk."""
    with desk.client() as client:
        yield client


@pytest.fixture(scope="session")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    """Give a desk that asks for keys, and callers of it, when it has read its history."""
    folder = tmp_path_factory.mktemp("guarded")
    desk = DeskProcess(folder, FINAGENT_AUTH="key", FINAGENT_REQUESTS_PER_SECOND="100000", **GUARDED_SETTINGS)
    callers = Guarded(desk, folder)
    with desk, _watched(desk), callers.client("operator") as client:
        _wait_for_history(client)
        yield callers


@contextmanager
def _watched(running: DeskProcess) -> Iterator[None]:
    """Have a shell end the desk when this process is killed before it can."""
    script = 'while kill -0 "$1"; do kill -0 "$2" || kill -9 "$1"; sleep 1; done'
    watch = subprocess.Popen(
        ["/bin/sh", "-c", script, "watch", str(running.pid), str(os.getpid())], stderr=subprocess.DEVNULL
    )
    try:
        yield
    finally:
        watch.kill()
        watch.wait()


def _wait_for_history(client: httpx.Client) -> None:
    ends = time.monotonic() + READY_SECONDS
    while time.monotonic() < ends:
        health = client.get("/api/health").json()
        market = health["ticks"].get("market", {}).get("succeeded_at")
        if market and not any(health["backlog"].values()):
            return
        time.sleep(0.1)
    pytest.fail("the desk did not finish its history")
