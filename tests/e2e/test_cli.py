"""The command line as a person meets it: what it refuses in one line, what it keeps, and what it shows."""

import json
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import httpx
import pytest

from local import demo
from shared.settings import Settings
from tests.e2e.process import OURS, ROOT, DeskProcess, environment, finagent, launch

type Ran = subprocess.CompletedProcess[str]


def _told(ran: Ran) -> str:
    """Give the one line that a refused command says."""
    assert (ran.returncode, ran.stdout) == (2, "")
    (line,) = ran.stderr.splitlines()
    assert line.startswith("finagent: ")
    return line


def _port(desk: DeskProcess) -> str:
    return str(desk.about["url"].rpartition(":")[2])


def _run(desk: DeskProcess, *arguments: str) -> Ran:
    return finagent(desk.folder, *arguments, "--port", _port(desk))


@pytest.fixture
def stranger() -> Iterator[tuple[type[BaseHTTPRequestHandler], str]]:
    """Give a server that is no desk, and its port."""

    class Stranger(BaseHTTPRequestHandler):
        body = b"<p>hello</p>"

        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(type(self).body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Stranger) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield Stranger, str(server.server_address[1])
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (("trade", "buy", "nan", "AAPL"), "quantity"),
        (("trade", "buy", "inf", "AAPL"), "quantity"),
        (("options", "AAPL", "--budget", "nan"), "--budget"),
        (("options", "AAPL", "--budget", "1", "--view", "inf"), "--view"),
        (("portfolio", "main", "--cash", "inf"), "--cash"),
        (("portfolio", "main", "--cash", "1e999"), "--cash"),
        (("portfolio", "main", "--position", "IBM=nan"), "--position IBM"),
        (("portfolio", "main", "--position", "IBM"), "--position"),
        (("portfolio", "main", "--position", "IBM=1", "--position", "ibm=2"), "--position"),
    ],
)
def test_command_when_a_number_is_none_says_which_in_one_line(
    tmp_path: Path, arguments: tuple[str, ...], named: str
) -> None:
    assert named in _told(finagent(tmp_path, *arguments, "--port", "1"))


def test_command_when_no_desk_answers_says_so(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
    assert "no desk answers" in _told(finagent(tmp_path, "portfolio", "--port", port))


@pytest.mark.parametrize("body", [b"<p>hello</p>", b"[]", b"{}"])
def test_command_when_what_answers_is_no_desk_says_so(
    tmp_path: Path, stranger: tuple[type[BaseHTTPRequestHandler], str], body: bytes
) -> None:
    server, port = stranger
    server.body = body  # type: ignore[attr-defined]
    for command in ("portfolio", "events"):
        assert "desk" in _told(finagent(tmp_path, command, "--port", port))


@pytest.mark.parametrize("name", ["../health", "..", "", "a/b", "a b", "a?x=1", "\udcff"])
def test_portfolio_when_its_name_is_no_name_is_refused(desk: DeskProcess, name: str) -> None:
    assert "desk" in _told(_run(desk, "portfolio", name))
    assert "desk" in _told(_run(desk, "portfolio", name, "--cash", "1"))


def test_portfolio_when_only_a_part_is_given_keeps_the_rest(desk: DeskProcess, api: httpx.Client) -> None:
    holding = {"symbol": "IBM", "quantity": 200, "average_price": 90}
    api.put("/api/portfolios/parts", json={"cash": 50_000, "positions": [holding]})
    held = json.loads(_run(desk, "portfolio", "parts", "--cash", "60000", "--json").stdout)
    assert (held["cash"], held["positions"]) == (60_000, [holding])
    held = json.loads(_run(desk, "portfolio", "parts", "--position", "msft=7", "--json").stdout)
    assert (held["cash"], held["positions"]) == (60_000, [holding, {"symbol": "MSFT", "quantity": 7}])
    held = json.loads(_run(desk, "portfolio", "parts", "--position", "IBM=0", "--json").stdout)
    assert held["positions"] == [{"symbol": "MSFT", "quantity": 7}]


def test_portfolio_when_it_is_new_starts_empty(desk: DeskProcess) -> None:
    held = json.loads(_run(desk, "portfolio", "fresh", "--position", "IBM=3", "--json").stdout)
    assert (held["cash"], held["positions"]) == (0, [{"symbol": "IBM", "quantity": 3}])


def test_portfolio_when_it_changes_shows_the_risk_of_the_new_content(desk: DeskProcess, api: httpx.Client) -> None:
    for cash in ("1000", "2000"):
        held = json.loads(_run(desk, "portfolio", "fast", "--cash", cash, "--json").stdout)
        assert held["risk"]["value"] == float(cash)
        assert api.get(f"/api/events/{held['risk']['event']}").json()["causationid"] == held["event"]
    shown = _run(desk, "portfolio", "fast", "--position", "IBM=5").stdout
    assert "5.00 IBM" in shown
    assert "at prices of 20" in shown


def test_options_when_asked_for_show_the_strategy_and_why_not_the_rest(desk: DeskProcess) -> None:
    arguments = ("options", "ibm", "--budget", "5000", "--view", "0.9", "--horizon", "60")
    answered = json.loads(_run(desk, *arguments, "--json").stdout)
    assert answered["request"] == {"symbol": "IBM", "view": 0.9, "horizon_days": 60, "risk_budget": 5_000}
    shown = _run(desk, *arguments).stdout
    assert f"=> {answered['suggestion']['suggested']['strategy'].upper()} x " in shown
    assert "loses at most" in shown
    assert "not long_straddle: it suits little or no direction" in shown
    nothing = _run(desk, "options", "IBM", "--budget", "0.01", "--view", "0.9").stdout
    assert "=> NOTHING" in nothing
    assert "the budget is 0.01 USD" in nothing


def test_question_when_asked_shows_what_is_known_its_events_and_what_is_not(desk: DeskProcess) -> None:
    asked = ("ask", "What are the trend of IBM and the options on it?")
    answered = json.loads(_run(desk, *asked, "--json").stdout)
    assert answered["question"] == {"text": asked[1]}
    shown = _run(desk, *asked).stdout
    assert "] The market analyst saw IBM trending " in shown
    assert re.search(r"\[event [0-9a-f]{8}", shown)
    assert "=> NO ANSWER  The question names no symbol" in _run(desk, "ask", "Is it raining?").stdout


def test_events_when_followed_start_at_the_end_unless_told(desk: DeskProcess, api: httpx.Client) -> None:
    before = api.get("/api/health").json()["desk_time"]
    for after, late in (((), True), (("--after", ""), False)):
        process = launch(desk.folder, "events", "--follow", "--json", "--port", _port(desk), *after)
        assert process.stdout is not None
        first = json.loads(process.stdout.readline())
        process.kill()
        process.stdout.close()
        process.wait()
        assert (first["time"] >= before) == late


def _linked(folder: Path, settings: str) -> Path:
    """Give a folder that is the project with a `local.settings.json`."""
    folder.mkdir()
    for name in ("functions", "shared", "local", "infra", "function_app.py", "host.json"):
        (folder / name).symlink_to(ROOT / name)
    (folder / "local.settings.json").write_text(settings)
    return folder


def test_rebuild_when_the_folder_is_in_local_settings_uses_it_and_can_be_repeated(tmp_path: Path) -> None:
    data = tmp_path / "elsewhere"
    root = _linked(tmp_path / "project", json.dumps({"Values": {"FINAGENT_DATA": str(data)}}))
    for _ in range(2):
        ran = _rebuild(root)
        assert ran.returncode == 0, ran.stderr
        assert "Read models rebuilt from 0 events." in ran.stdout
        assert "run it again" in ran.stderr
    assert (data / "recorded.sqlite").exists()


def test_rebuild_when_local_settings_are_malformed_says_so(tmp_path: Path) -> None:
    assert "local.settings.json" in _told(_rebuild(_linked(tmp_path / "project", "{")))


def _rebuild(root: Path) -> Ran:
    given = environment(root, PYTHONPATH=str(root))
    del given["FINAGENT_DATA"]
    return subprocess.run(
        [sys.executable, "-m", "local.cli", "rebuild"],
        env=given,
        cwd=root,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_demo_when_this_machine_has_settings_of_its_own_takes_none(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("FINAGENT_SYMBOLS", "FINAGENT_TICK", "ALPACA_API_KEY", "ALPACA_SECRET_KEY"):
        monkeypatch.setenv(name, "mine")
    given = demo.environment("folder")
    assert given["FINAGENT_DATA"] == "folder"
    ours = {name: value for name, value in given.items() if name.startswith(OURS)}
    # Each is there and empty, so that local.settings.json cannot set it either.
    assert set(ours) == {field.alias for field in Settings.model_fields.values()} | {"FINAGENT_TICK"}
    assert {value for name, value in ours.items() if name != "FINAGENT_DATA"} == {""}


# Ctrl-C when most is not loaded yet.
STOPPED_WHILE_LOADING = """
import signal, sys

class Stopping:
    def find_spec(self, name, path=None, target=None):
        if name == "typer":
            signal.raise_signal(signal.SIGINT)

sys.meta_path.insert(0, Stopping())
signal.signal(signal.SIGINT, signal.default_int_handler)  # whoever runs the tests may have it ignored

from local.entry import main

main()
"""


def test_command_when_stopped_while_it_is_being_loaded_says_so_in_a_line(tmp_path: Path) -> None:
    command = [sys.executable, "-c", STOPPED_WHILE_LOADING, "demo"]
    done = subprocess.run(command, env=environment(tmp_path), cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (130, "finagent: stopped before the end\n")
