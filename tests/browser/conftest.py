"""One desk and one browser for all tests here; each has a page with a profile of its own."""

import os
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from random import Random
from threading import Thread

import httpx
import pytest
from playwright.sync_api import Browser, expect

from tests.browser.chromium import DESKTOP, Watched, chromium, context
from tests.e2e.process import DeskProcess, free_port

START = "2008-09-11"
READY_SECONDS = 60
PAGE_MILLISECONDS = 30_000
EXAMPLES = Path(__file__).parents[2] / "examples"

type Open = Callable[..., Watched]


@pytest.fixture(scope="package")
def elsewhere() -> str:
    """Give the port of another site, whose pages may use the desk."""
    return free_port(Random(os.getpid()))


@pytest.fixture(scope="package")
def desk(tmp_path_factory: pytest.TempPathFactory, elsewhere: str) -> Iterator[DeskProcess]:
    """Give a desk that has read its history and holds a portfolio, at a day a second, which keeps its port."""
    folder = tmp_path_factory.mktemp("browser")
    port = free_port(Random(os.getpid() + 1))
    settings = {"FINAGENT_START": START, "FINAGENT_SPEED": "86400", "FINAGENT_CORS": f"http://localhost:{elsewhere}"}
    with DeskProcess(folder, port=port, **settings) as running, running.client() as api:
        _wait_for_history(api)
        yield running


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """Give the browser, patient with a slow machine.

    It is not the session's: while it is driven, no other test of the process can run an event loop.
    """
    expect.set_options(timeout=PAGE_MILLISECONDS)
    with chromium() as running:
        yield running


@pytest.fixture
def api(desk: DeskProcess) -> Iterator[httpx.Client]:
    """Give a client of the desk."""
    with desk.client() as client:
        yield client


@pytest.fixture
def show(browser: Browser, desk: DeskProcess) -> Iterator[Open]:
    """Give what opens an address of the desk in a new profile; a page must not have complained when its test ends."""
    opened: list[Watched] = []

    def open_page(
        path: str = "/", size: tuple[int, int] = DESKTOP, *, dark: bool = False, routed: bool = False
    ) -> Watched:
        page = context(browser, size, dark=dark, routed=routed).new_page()
        page.set_default_timeout(PAGE_MILLISECONDS)
        watched = Watched(page)
        opened.append(watched)
        page.goto(path if path.startswith("http") else desk.about["url"] + path)
        return watched

    yield open_page
    complaints = [complaint for watched in opened for complaint in watched.complaints]
    for watched in opened:
        watched.page.context.close()
    if not desk.runs:  # a test that killed it did not get to start it again
        desk.start()
    assert complaints == []


def _wait_for_history(api: httpx.Client) -> None:
    ends = time.monotonic() + READY_SECONDS
    while time.monotonic() < ends:
        health = api.get("/api/health").json()
        if health["ticks"].get("market", {}).get("succeeded_at") and not any(health["backlog"].values()):
            return
        time.sleep(0.1)
    pytest.fail("the desk did not finish its history")


@pytest.fixture
def another_site(desk: DeskProcess, elsewhere: str) -> Iterator[str]:
    """Serve `examples/` as another site would, with this desk's address in it, and give its own."""
    page = (EXAMPLES / "another-desk.html").read_text().replace("http://localhost:7071", desk.about["url"])

    class Site(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found = self.path == "/another-desk.html"
            self.send_response(200 if found else 204)
            self.send_header("content-type", "text/html; charset=utf-8")
            self.end_headers()
            self.wfile.write(page.encode() if found else b"")

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", int(elsewhere)), Site) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://localhost:{elsewhere}"
        server.shutdown()
