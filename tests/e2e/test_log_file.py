"""`finagent export` and `finagent import` as an operator uses them: a real log, a kill half-way, a desk restored."""

import json
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.e2e.process import ROOT, DeskProcess, environment, finagent, read_log

SETTINGS = {"FINAGENT_START": "2008-09-11", "FINAGENT_SPEED": "86400", "FINAGENT_AUTH": "none"}
PATIENCE_SECONDS = 300


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the file of a desk that held a portfolio and decided a trade."""
    folder = tmp_path_factory.mktemp("desk")
    with DeskProcess(folder, **SETTINGS) as desk:
        port = str(desk.about["url"].rpartition(":")[2])
        for command in (("portfolio", "main", "--cash", "5"), ("trade", "buy", "1", "IBM", "--portfolio", "main")):
            ran = finagent(folder, *command, "--port", port)
            assert ran.returncode == 0, ran.stderr
        refused = finagent(folder, "export", "-", **SETTINGS)
        assert (refused.returncode, refused.stdout) == (2, "")
        assert desk.stop() == 0
    ran = finagent(folder, "export", str(folder / "log.jsonl"), "--json", **SETTINGS)
    assert ran.returncode == 0, ran.stderr
    file = folder / "log.jsonl"
    assert json.loads(ran.stdout) == {"events": len(file.read_bytes().splitlines())}
    return file


def _count(file: Path) -> int:
    try:
        return int(read_log(file, "SELECT count(*) FROM events")[0][0])
    except sqlite3.OperationalError:  # not set up yet
        return 0


def test_log_when_an_import_is_killed_and_repeated_comes_back_whole(exported: Path, tmp_path: Path) -> None:
    lines = exported.read_bytes().splitlines(keepends=True)
    file = tmp_path / "recorded.sqlite"
    command = [sys.executable, "-m", "local.cli", "import", "-"]
    importing = subprocess.Popen(command, env=environment(tmp_path, **SETTINGS), cwd=ROOT, stdin=subprocess.PIPE)
    assert importing.stdin is not None
    importing.stdin.write(b"".join(lines))
    importing.stdin.flush()
    ends = time.monotonic() + PATIENCE_SECONDS
    while not (file.exists() and _count(file)):
        assert time.monotonic() < ends
        time.sleep(0.05)
    importing.kill()
    importing.communicate()
    assert 0 < _count(file) < len(lines)
    ran = finagent(tmp_path, "import", str(exported), "--json", **SETTINGS)
    done = json.loads(ran.stdout)
    assert 0 < done["imported"] < done["read"] == len(lines), ran.stderr
    assert json.loads(finagent(tmp_path, "import", str(exported), "--json", **SETTINGS).stdout)["imported"] == 0
    assert finagent(tmp_path, "export", "-", **SETTINGS).stdout.encode() == exported.read_bytes()


def test_export_when_the_desk_is_empty_leaves_an_earlier_file_as_it_is(tmp_path: Path) -> None:
    kept = tmp_path / "log.jsonl"
    kept.write_text("a log\n")
    refused = finagent(tmp_path / "elsewhere", "export", str(kept), **SETTINGS)
    assert (refused.returncode, refused.stdout) == (2, "")
    assert "no events" in refused.stderr
    assert [file.read_text() for file in tmp_path.glob("log*")] == ["a log\n"]


def test_desk_when_it_is_restored_answers_no_history_and_goes_on(exported: Path, tmp_path: Path) -> None:
    assert finagent(tmp_path, "import", str(exported), **SETTINGS).returncode == 0
    assert finagent(tmp_path, "rebuild", **SETTINGS).returncode == 0
    with DeskProcess(tmp_path, **SETTINGS) as desk, desk.client() as client:
        assert client.get("/api/portfolios/main").json()["cash"] == 5
        port = str(desk.about["url"].rpartition(":")[2])
        decided = finagent(tmp_path, "trade", "sell", "1", "IBM", "--portfolio", "main", "--json", "--port", port)
        assert decided.returncode == 0, decided.stderr
        assert desk.stop() == 0
    refused = finagent(tmp_path, "import", str(exported), **SETTINGS)
    assert (refused.returncode, refused.stdout) == (2, "")
    after = finagent(tmp_path, "export", "-", **SETTINGS).stdout.encode().splitlines()
    before = exported.read_bytes().splitlines()
    assert after[: len(before)] == before
    opinions = {json.loads(line)["correlationid"] for line in after[len(before) :] if b'"opinion.formed"' in line}
    assert opinions.isdisjoint({json.loads(line)["correlationid"] for line in before})


def test_export_when_the_file_cannot_be_written_says_so(tmp_path: Path) -> None:
    ran = finagent(tmp_path, "export", str(tmp_path / "nowhere" / "log"), **SETTINGS)
    assert (ran.returncode, ran.stdout) == (2, "")
    assert "cannot be written: No such file" in ran.stderr
