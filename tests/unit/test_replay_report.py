"""The result of a backtest: its report, its manifest, its page, and the folder that appears when it is whole."""

import fcntl
import json
import os
from datetime import date
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from local.cli import app
from shared import rehearsal
from shared.errors import InvalidError, MissingError
from shared.events.catalogue import decode
from shared.events.replay import Backtest, ReplayCompleted
from shared.market.recorded import RecordedMarketSource
from shared.quant import performance
from shared.replay import chart
from shared.replay.fingerprint import Fingerprint
from shared.replay.job import perform, run_of
from shared.replay.manifest import check_vintage
from shared.replay.page import page
from shared.replay.report import HINDSIGHT, Report
from shared.replay.shelf import Shelf
from tests.builders import a_bar, an_opinion, market_data

WEEKS = Backtest(
    symbols=("AAPL", "IBM"), first_day=date(2008, 9, 2), last_day=date(2008, 9, 19), lookback_days=60, news=True
)


async def made(folder: Path, asked: Backtest = WEEKS, run: str = "r-1") -> Report:
    return await perform(asked, RecordedMarketSource(), "recorded", rehearsal.backtested, Shelf(folder), run)


def names(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


async def test_result_when_written_holds_the_report_and_all_events_under_the_run(tmp_path: Path) -> None:
    report = await made(tmp_path)
    events = [decode(line) for line in (tmp_path / "r-1" / "events.jsonl").read_bytes().splitlines()]
    assert {event.run for event in events} == {"r-1"}
    last = events[-1]
    assert isinstance(last, ReplayCompleted)
    assert last.data.hash == report.hash == Shelf(tmp_path).report("r-1")["hash"]
    assert len(events) == report.played + report.emitted + 1
    assert HINDSIGHT in report.labels
    assert [name for name in names(tmp_path) if name.startswith(".")] == []


async def test_report_when_compared_with_its_own_series_agrees(tmp_path: Path) -> None:
    report = await made(tmp_path)
    returns = performance.returns_of(np.array(report.series.equity))
    against = performance.returns_of(np.array(report.series.benchmark))
    assert report.desk.total_return == pytest.approx(report.series.equity[-1] / report.series.equity[0] - 1)
    assert report.desk.max_drawdown == pytest.approx(min(report.series.drawdown))
    assert (report.alpha, report.beta) == pytest.approx(performance.alpha_beta(returns, against))
    assert report.benchmark.total_return == pytest.approx(np.mean([*report.symbols_held.values()]))


async def test_benchmark_when_it_is_a_symbol_is_that_symbol(tmp_path: Path) -> None:
    report = await made(tmp_path, WEEKS.model_copy(update={"benchmark": "IBM"}))
    assert report.benchmark.total_return == pytest.approx(report.symbols_held["IBM"])


async def test_result_when_the_source_fails_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(InvalidError, match="TSLA"):
        await made(tmp_path, WEEKS.model_copy(update={"symbols": ("TSLA",)}))
    assert names(tmp_path) == []


async def test_result_when_the_disk_refuses_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(InvalidError, match="cannot be written"):
        await made(tmp_path / "file")


@pytest.mark.parametrize("process", [1, os.getpid()], ids=["another process", "one of the same id"])
def test_draft_when_a_process_was_killed_over_it_is_removed_by_the_next(tmp_path: Path, process: int) -> None:
    left = tmp_path / f".r-1.{process}"
    left.mkdir()
    (left / "events.jsonl").write_text("cut o")
    with Shelf(tmp_path).drafting("r-1"):
        pass
    assert names(tmp_path) == ["r-1"]
    assert (tmp_path / "r-1" / "events.jsonl").read_text() == ""


def test_draft_when_another_still_writes_it_stays(tmp_path: Path) -> None:
    written = tmp_path / ".r-1.1"
    written.mkdir()
    with (written / "events.jsonl").open("wb") as log:
        fcntl.flock(log, fcntl.LOCK_EX)
        with Shelf(tmp_path).drafting("r-1"):
            pass
    assert sorted(names(tmp_path)) == [".r-1.1", "r-1"]


def test_shelf_when_there_is_no_such_run_says_so(tmp_path: Path) -> None:
    for run in ("none", "..", "a/b", ""):
        with pytest.raises(MissingError):
            Shelf(tmp_path).path(run)


async def test_vintage_when_data_are_others_than_before_warns(tmp_path: Path) -> None:
    report, file = await made(tmp_path), tmp_path / "v.json"
    assert check_vintage(file, report.manifest) is None
    assert check_vintage(file, report.manifest) is None
    restated = check_vintage(file, report.manifest.model_copy(update={"data": "0" * 64}))
    assert restated is not None
    assert report.manifest.data[:12] in restated
    file.write_text("[")
    with pytest.raises(InvalidError, match=r"v\.json"):
        check_vintage(file, report.manifest)
    with pytest.raises(InvalidError, match="cannot be written"):
        check_vintage(Path("/proc/finagent/v.json"), report.manifest)


def test_run_when_named_follows_from_what_is_asked() -> None:
    assert run_of(WEEKS, "recorded") == run_of(WEEKS, "recorded")
    assert run_of(WEEKS, "recorded") != run_of(WEEKS.model_copy(update={"cash": 5.0}), "recorded")


async def test_page_when_texts_are_hostile_escapes_them_and_loads_nothing(tmp_path: Path) -> None:
    report = (await made(tmp_path)).model_copy(update={"labels": ("<script>alert(1)</script>",)})
    text = page(report)
    assert "<script" not in text
    assert "&lt;script&gt;" in text
    assert not [word for word in ("src=", "href=", "url(", "@import") if word in text]


def test_chart_when_drawn_is_well_formed_even_where_nothing_moves() -> None:
    moments = [bar.closed_at for bar in (a_bar(), a_bar())]
    drawn = ElementTree.fromstring(chart.lines("A < B & C", moments, {"<x>": [1.0, 1.0]}))
    assert [each.tag.rpartition("}")[2] for each in drawn].count("polyline") == 1


def test_fingerprint_when_only_a_last_digit_of_a_conclusion_differs_is_the_same() -> None:
    def marked(stance: float, close: float = 1.0) -> str:
        fingerprint = Fingerprint()
        fingerprint.play(market_data(a_bar(close=close)))
        fingerprint.conclude(an_opinion(stance=stance))
        return fingerprint.whole

    assert marked(0.3) == marked(0.1 + 0.2)
    assert marked(0.3) == marked(0.300001)
    assert marked(0.3) != marked(0.3002)
    assert marked(0.0) == marked(1e-17)
    assert marked(0.3) != marked(0.3, close=1.0 + 1e-15)


def test_command_when_asked_for_json_prints_report_manifest_and_hash(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from typer.testing import CliRunner

    monkeypatch.setenv("FINAGENT_DATA", str(tmp_path))
    days = ["--from", "2008-01-02", "--to", "2008-01-11", "--symbols", "aapl, ibm", "--set", "lookback_days=30"]
    days += ["--agents", "risk_manager", "--set", "fill_price=close", "--set", "slippage=1e-3"]
    done = CliRunner().invoke(app, ["replay", "backtest", *days, "--json"])
    assert done.exit_code == 0, done.output
    document = json.loads(done.stdout)
    assert len(document["hash"]) == 64
    asked = document["manifest"]["backtest"]
    assert [asked[name] for name in ("lookback_days", "fill_price", "slippage")] == [30, "close", 1e-3]
    assert asked["agents"] == ["risk_manager"]
    assert document["labels"] == []
    refused_sets = (["--set", name] for name in ("lookback_days=true", "no_such=1", "news=true"))
    for wrong in (["--from", "2008"], ["--agents", "seer"], *refused_sets):
        refused = CliRunner().invoke(app, ["replay", "backtest", *wrong, "--json"])
        assert (refused.exit_code, wrong[-1].partition("=")[0].lstrip("-") in refused.output) == (2, True)
