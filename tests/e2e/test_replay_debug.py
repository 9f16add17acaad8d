"""Debugging and forking on a desk's own log, and a decision taken away as a test that runs anywhere."""

import asyncio
import json
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from local.cli import app
from shared.rehearsal import replayed
from shared.replay.debug_case import play
from shared.settings import Settings
from shared.wiring import build
from tests.e2e.process import ROOT, environment
from tests.replays import an_event, short

TRADE = an_event(short(), "trade.requested", -1)
HEADLINE = an_event(short(), "news.received")
SETTINGS = {**short().settings, "FINAGENT_SPEED": "1", "FINAGENT_START": "2008-06-02"}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give the folder of a desk that was stopped after it had played some weeks; commands open that desk."""
    settings = Settings.from_env({**SETTINGS, "FINAGENT_DATA": str(tmp_path)})

    async def played() -> None:
        desk = build(settings)
        await desk.store.append((await play(short(), replayed)).log)
        await desk.close()

    asyncio.run(played())
    monkeypatch.setenv("FINAGENT_TICK", "0 * * * * *")
    monkeypatch.setenv("FINAGENT_DATA", str(tmp_path))
    monkeypatch.setattr("shared.wiring.desk", lambda: build(settings))
    return tmp_path


def run(*arguments: object, text: str = "") -> Result:
    return CliRunner().invoke(app, ["replay", *map(str, arguments)], input=text)


def pytest_on(folder: Path) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-c", str(ROOT / "pyproject.toml")]
    return subprocess.run(
        [*command, str(folder)], cwd=ROOT, env=environment(folder), capture_output=True, text=True, check=False
    )


def test_decision_when_exported_is_a_test_that_reproduces_it_without_the_desk(folder: Path) -> None:
    away = folder / "away"
    away.mkdir()
    ran = run("debug", TRADE.id, "--export", away / "test_trade.py", "--json")
    assert ran.exit_code == 0, ran.stderr
    document = json.loads(ran.stdout)
    assert document["differences"] == []
    assert {step["agent"] for step in document["steps"]} >= {"oracle", "risk_manager", "consensus"}
    assert sorted(file.name for file in away.iterdir()) == ["test_trade.jsonl", "test_trade.py"]
    lines = (away / "test_trade.jsonl").read_bytes()
    (away / "test_other.py").write_bytes((away / "test_trade.py").read_bytes())
    (away / "test_other.jsonl").write_bytes(lines.replace(b'"decision":"approved"', b'"decision":"rejected"'))
    ran_there = pytest_on(away)
    assert ran_there.returncode == 1, ran_there.stdout
    assert "1 failed, 1 passed" in ran_there.stdout
    assert "data.decision was 'rejected', is 'approved'" in ran_there.stdout


def test_decision_when_shown_is_a_tree_with_evidence_and_changes_of_state() -> None:
    ran = run("debug", TRADE.id)
    assert ran.exit_code == 0, ran.stderr
    lines = ran.stdout.splitlines()
    assert lines[0].endswith(f"[{TRADE.id}]")
    assert lines[-1] == "The replay concludes what the log has."
    assert "  risk_manager" in lines
    assert any(line.startswith("      state rounds.") and "closed: false -> true" in line for line in lines)
    assert any("weight_before = " in line for line in lines)


def test_decision_when_stepped_through_stops_where_it_is_told() -> None:
    stopped = run("debug", TRADE.id, "--break", "oracle", text="q\n")
    whole = run("debug", TRADE.id, "--break", "oracle", text="c\n")
    each = run("debug", TRADE.id, "--step", text="\n\nq\n")
    assert "  oracle" in stopped.stdout.splitlines()
    assert len(stopped.stdout.splitlines()) < len(whole.stdout.splitlines())
    assert "The replay concludes" in whole.stdout
    assert (stopped.stdout.count("-- Enter"), each.stdout.count("-- Enter")) == (1, 3)


def test_fork_when_a_headline_is_changed_shows_what_differs_and_leaves_the_log(folder: Path) -> None:
    log = (folder / "recorded.sqlite").read_bytes()
    ran = run("fork", HEADLINE.id, "--set", "data.headline=IBM warns of fraud and a catastrophic loss")
    assert ran.exit_code == 0, ran.stderr
    assert "handlers saw something else" in ran.stdout
    assert any(line.startswith("+") and "[consensus]" in line for line in ran.stdout.splitlines())
    document = json.loads(run("fork", HEADLINE.id, "--set", 'data.headline="IBM warns"', "--json").stdout)
    changed = {each["event"]: each for each in document["differences"]}
    (told,) = changed[HEADLINE.id]["changes"]
    assert (told["path"], told["after"]) == ("data.headline", "IBM warns")
    assert document["rerun"] < document["of"]
    assert (folder / "recorded.sqlite").read_bytes() == log


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["debug", "nobody"], "nobody: no story in the log"),
        (["debug", TRADE.id, "--owner", "alice"], "or it is another's"),
        (["debug", TRADE.id, "--break", "nonsense"], "--break: nonsense is no event type and no agent"),
        (["debug", TRADE.id, "--export", "story.txt"], "--export: story.txt is no name of a test file"),
        (["fork", "nobody", "--set", "data.headline=x"], "nobody: the log has no such event"),
        (["fork", TRADE.id, "--set", "data.quantity=5", "--owner", "alice"], "or it is another's"),
        (["fork", TRADE.id, "--set", "data.quantity=-5"], "data.quantity: "),
        (["fork", TRADE.id, "--set", "quantity"], "'quantity' is not PATH=VALUE"),
        (["fork", TRADE.id, "--set", "FINAGENT_MAX_WEIGHT=7"], "FINAGENT_MAX_WEIGHT: "),
        (["fork", TRADE.id, "--set", "FINAGENT_PORT=7"], "no decision rests on FINAGENT_PORT"),
        (["recover", "--since", "soon"], "--since: 'soon' is no time"),
        (["recover", "--since", "2010-01-01"], "2010-01-01 00:00 UTC has not come"),
    ],
)
def test_replay_when_asked_wrongly_says_why_and_writes_nothing(
    folder: Path, arguments: list[str], complaint: str
) -> None:
    log = (folder / "recorded.sqlite").read_bytes()
    ran = run(*arguments)
    assert (ran.exit_code, ran.stdout) == (2, "")
    assert ran.stderr.startswith("finagent: ")
    assert complaint in ran.stderr
    assert (folder / "recorded.sqlite").read_bytes() == log
