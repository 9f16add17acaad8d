"""The embedded host as a person meets it: starting, stopping, refusing, replaying the same feed."""

import json
import os
import re
import socket
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from random import Random
from typing import Any

import httpx

from functions.api.web import is_built
from local.report import NO_DASHBOARD
from tests.e2e.process import ROOT, DeskProcess, environment, finagent, free_port, read_log

HEAVY = ("mem0", "alpaca", "openai", "pandas", "scipy", "fastapi", "numpy")


def test_host_when_it_is_terminated_drains_and_exits_with_zero(tmp_path: Path) -> None:
    with DeskProcess(tmp_path) as desk:
        assert desk.stop() == 0
    assert read_log(desk.file, "PRAGMA integrity_check") == [("ok",)]


def test_health_when_it_says_ready_first_is_of_agents_that_know_the_past(tmp_path: Path) -> None:
    port = free_port(Random(os.getpid()))
    desk, seen = DeskProcess(tmp_path, port=port, FINAGENT_SPEED="1"), list[dict[str, Any]]()
    desk.begin()
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False) as api:
            while desk.runs and (not seen or seen[-1]["status"] != "ready"):
                with suppress(httpx.TransportError):
                    seen.append(api.get("/api/health").json())
    finally:
        desk.kill()
    assert (seen[-1]["status"], set(seen[-1]["backlog"].values())) == ("ready", {0})


def test_host_when_another_uses_the_folder_is_refused_and_names_it(tmp_path: Path) -> None:
    with DeskProcess(tmp_path) as desk:
        refused = finagent(tmp_path, "run", "--port", "0")
        assert refused.returncode == 2
        assert f"process {desk.pid}" in refused.stderr
        assert "Traceback" not in refused.stderr


def test_host_when_the_port_is_taken_says_so(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        refused = finagent(tmp_path, "run", "--port", str(port))
    assert refused.returncode == 2
    assert f"port {port}" in refused.stderr
    assert "Traceback" not in refused.stderr


def test_host_when_settings_are_malformed_names_all_of_them(tmp_path: Path) -> None:
    refused = finagent(
        tmp_path, "run", "--port", "0", FINAGENT_SPEED="fast", FINAGENT_START="yesterday", ALPACA_API_KEY="secret-value"
    )
    assert refused.returncode == 2
    assert "FINAGENT_SPEED" in refused.stderr
    assert "FINAGENT_START" in refused.stderr
    assert "secret-value" not in refused.stderr


def test_host_when_an_override_of_host_json_is_malformed_names_it(tmp_path: Path) -> None:
    name = "AzureFunctionsJobHost__extensions__serviceBus__maxConcurrentCalls"
    refused = finagent(tmp_path, "run", "--port", "0", **{name: "many"})
    assert refused.returncode == 2
    assert f"{name}: " in refused.stderr
    assert "Traceback" not in refused.stderr


def test_host_when_its_timers_are_rare_fills_an_empty_desk_and_not_again_before_they_are_due(tmp_path: Path) -> None:
    for expected in ({"market", "news", "positions"}, set()):
        with DeskProcess(tmp_path, FINAGENT_TICK="0 0 0 29 2 *") as desk, desk.client() as client:
            assert client.get("/api/bars/AAPL").json()["bars"]
            assert client.get("/api/health").json()["ticks"].keys() - {"sweep"} == expected
            assert desk.stop() == 0


def test_host_when_a_function_logs_says_which_and_in_which_invocation(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "local.cli", "run", "--port", "0"],
        env=environment(tmp_path, FINAGENT_START="2013-03-01", FINAGENT_SPEED="10000000"),
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr is not None
        line = next(line for line in process.stderr if "no prices since" in line)
        process.terminate()
        process.stderr.read()
    assert re.search(r" shared\.ingest \[ingest_market [0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\]: market: ", line)


def test_host_when_it_runs_listens_on_loopback_only_and_prints_a_short_banner(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "local.cli", "run", "--port", "0"],
        env=environment(tmp_path),
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        assert process.stdout is not None
        lines = [process.stdout.readline()]
        while lines[-1].strip() != "Ctrl-C stops it; nothing is lost.":
            lines.append(process.stdout.readline())
            assert len(lines) <= 15
        process.terminate()
        assert process.wait(timeout=30) == 0
    assert "http://127.0.0.1:" in lines[0]
    (opened,) = [line.split(maxsplit=1)[1].strip() for line in lines if line.startswith("Open ")]
    assert opened == (lines[0].split()[3] if is_built() else NO_DASHBOARD)
    assert sum("curl" in line for line in lines) == 3


def test_recorded_feed_when_played_twice_from_empty_gives_the_same_events(tmp_path: Path) -> None:
    first = _events_of_a_run(tmp_path / "first", speed="1000000")
    second = _events_of_a_run(tmp_path / "second", speed="3000000")
    assert len(first) > 300
    assert {json.loads(body)["type"] for body in first.values()} >= {
        "market.data.received",
        "analysis.completed",
        "news.received",
        "sentiment.scored",
    }
    assert first == second


def test_read_models_when_rebuilt_from_the_log_are_the_same(tmp_path: Path) -> None:
    with DeskProcess(tmp_path, FINAGENT_SPEED="1", FINAGENT_START="2008-09-17") as desk:
        before = _read_models(desk)
        desk.stop()
    rebuilt = finagent(tmp_path, "rebuild", "--json")
    assert json.loads(rebuilt.stdout)["events"] > 300
    with DeskProcess(tmp_path, FINAGENT_SPEED="1", FINAGENT_START="2008-09-17") as desk:
        assert _read_models(desk) == before
        assert len(before[0]) > 250


def test_function_app_when_imported_loads_nothing_heavy() -> None:
    code = f"import sys, function_app; print([name for name in {HEAVY} if name in sys.modules])"
    answer = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "[]"


def test_command_when_it_begins_has_numpy_use_one_thread_before_that_is_loaded() -> None:
    imported = "import os, sys; from local.cli import begin; begin()"
    code = f"{imported}; print(os.environ['OPENBLAS_NUM_THREADS'], 'numpy' in sys.modules)"
    environment = {name: value for name, value in os.environ.items() if name != "OPENBLAS_NUM_THREADS"}
    answer = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, check=True)
    assert answer.stdout.split() == [b"1", b"False"]


def test_demo_when_it_runs_ends_with_both_decisions_and_a_measured_portfolio(tmp_path: Path) -> None:
    shown = finagent(tmp_path, "demo", "--json")
    assert shown.returncode == 0, shown.stderr
    documents = [json.loads(line) for line in shown.stdout.splitlines()]
    decided = [document for document in documents if "consensus" in document]
    assert [document["state"] for document in decided] == ["decided", "decided"]
    assert {opinion["agent"] for opinion in decided[0]["opinions"]} >= {
        "market_analyst",
        "risk_manager",
        "sentiment_tracker",
    }
    assert decided[1]["consensus"]["decision"] == "rejected"
    assert decided[1]["consensus"]["vetoes"]
    assert documents[-1]["risk"]["measures"]["ewma_var_95"] > 0


def test_make_when_python_is_too_old_names_it_and_installs_nothing(tmp_path: Path) -> None:
    old = tmp_path / "bin"
    old.mkdir()
    for name in ("python3", "python3.13", "python3.14"):
        script = old / name
        script.write_text('#!/bin/sh\n[ "$1" = --version ] && echo "Python 3.11.2"\nexit 1\n')
        script.chmod(0o755)
    for name in ("Makefile", "requirements.txt", "requirements-dev.txt", "pyproject.toml", ".python-version"):
        (tmp_path / name).write_text((ROOT / name).read_text())
    made = subprocess.run(
        ["make", "run"], cwd=tmp_path, env={"PATH": f"{old}:/usr/bin:/bin"}, capture_output=True, text=True, check=False
    )
    assert made.returncode != 0
    assert "needs Python 3.13" in made.stdout
    assert "3.11.2" in made.stdout
    assert not (tmp_path / ".venv").exists()


def _events_of_a_run(folder: Path, speed: str) -> dict[str, str]:
    """The events of the feed until the end of September 2008, by id, as they are stored."""
    with DeskProcess(folder, FINAGENT_SPEED=speed, FINAGENT_START="2008-08-01") as desk, desk.client() as client:
        while not _ingested(client.get("/api/health").json()["ticks"], "2008-10-02"):
            client.get("/api/events", params={"after": "latest", "wait": 0.3})
        desk.stop()
    # What still waits is handled while nothing new comes: a slow machine would never get to the end of it.
    with DeskProcess(folder, FINAGENT_SPEED="1") as desk:
        _drained(desk)
        desk.stop()
    rows = read_log(desk.file, "SELECT id, body FROM events WHERE json_extract(body, '$.time') < '2008-10-01'")
    return {event_id: body.decode() for event_id, body in rows}


def _ingested(ticks: dict[str, dict[str, str | None]], moment: str) -> bool:
    return all(name in ticks and (ticks[name]["succeeded_at"] or "") >= moment for name in ("market", "news"))


def _drained(desk: DeskProcess) -> None:
    with desk.client() as client:
        while True:
            health = client.get("/api/health").json()
            if _ingested(health["ticks"], "2000") and not any(health["backlog"].values()):
                return
            client.get("/api/events", params={"after": "latest", "wait": 0.2})


def _read_models(desk: DeskProcess) -> tuple[list[object], object]:
    _drained(desk)
    as_of = {"as_of": "2008-09-16T12:00:00Z"}
    with desk.client() as client:
        bars = client.get("/api/bars/AAPL", params=as_of).json()["bars"]
        view = client.get("/api/agents/market_analyst/views/AAPL", params=as_of).json()
    return bars, view
