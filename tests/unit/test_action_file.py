"""Splits and dividends beside a file of bars: a wrong row is named, and what is held grows as it should."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from local.cli import app
from shared.broker.simulated import CorporateAction
from shared.errors import InvalidError
from shared.replay.action_file import actions, origin_with
from tests.builders import CLOSE, DAY, HOUR

HEAD = "date,symbol,kind,amount\n"
SPLIT = "2008-01-02,AAPL,split,2\n"
MIDNIGHT = CLOSE - 16 * HOUR


def a_file(folder: Path, body: str) -> Path:
    file = folder / "actions.csv"
    file.write_text(body)
    return file


def test_file_when_its_rows_are_actions_gives_them_from_their_day_on(tmp_path: Path) -> None:
    found = actions(a_file(tmp_path, HEAD + SPLIT + "2008-01-03,aapl,Dividend,0.5\n"))
    assert found == [
        CorporateAction("split", "AAPL", MIDNIGHT, 2.0),
        CorporateAction("dividend", "AAPL", MIDNIGHT + DAY, 0.5),
    ]
    assert origin_with("file", found) == origin_with("file", found[::-1]) != origin_with("file", found[:1])
    assert origin_with("file", []) == "file"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "row 1: the columns must be date, symbol, kind, amount, not none"),
        ("day,symbol,kind,amount\n", "row 1: the columns must be"),
        (HEAD + SPLIT + SPLIT, "row 3: split of AAPL is given twice"),
        (HEAD + SPLIT.replace("2008-01-02", "01/02/2008"), "row 2: date: '01/02/2008' is no day"),
        (HEAD + SPLIT.replace("split", "merger"), "row 2: kind: 'merger' is neither split nor dividend"),
        (HEAD + SPLIT.replace("AAPL", ""), "row 2: symbol: is empty"),
        (HEAD + SPLIT.replace(",2\n", ",two\n"), "row 2: amount: 'two' is no number"),
        (HEAD + SPLIT.replace(",2\n", ",0\n"), "row 2: amount: 0 is not above 0"),
        (HEAD + SPLIT.replace(",2\n", ",nan\n"), "row 2: amount: nan is not above 0"),
        (HEAD + "2008-01-02,AAPL", "row 2: has 2 values, not 4"),
        (HEAD + '"2008', "cannot be read"),
    ],
)
def test_file_when_a_row_is_wrong_is_refused_and_the_row_named(tmp_path: Path, text: str, reason: str) -> None:
    with pytest.raises(InvalidError, match=reason):
        actions(a_file(tmp_path, text))


def test_file_when_it_cannot_be_read_says_so(tmp_path: Path) -> None:
    with pytest.raises(InvalidError, match=r"none\.csv: cannot be read: No such file"):
        actions(tmp_path / "none.csv")


def backtest(folder: Path, monkeypatch: pytest.MonkeyPatch, *options: object) -> "tuple[int, str, str]":
    monkeypatch.setenv("FINAGENT_DATA", str(folder / "data"))
    dates = "--from", "2008-01-09", "--to", "2008-01-14", "--set", "lookback_days=7", "--symbols", "AAPL"
    ran = CliRunner().invoke(app, ["replay", "backtest", *dates, "--json", *map(str, options)])
    return ran.exit_code, ran.stdout, ran.stderr


def test_backtest_when_a_share_is_split_in_its_bars_keeps_its_value(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prices = {3: 100, 4: 100, 7: 100, 8: 100, 9: 100, 10: 50, 11: 50, 14: 50}
    rows = [f"AAPL,2008-01-{day:02},{price},{price},{price},{price},1000000\n" for day, price in prices.items()]
    bars = tmp_path / "bars.csv"
    bars.write_text("symbol,time,open,high,low,close,volume\n" + "".join(rows))
    splits = a_file(tmp_path, HEAD + SPLIT.replace("2008-01-02", "2008-01-10"))
    code, out, _ = backtest(tmp_path, monkeypatch, "--bars", bars, "--actions", splits)
    assert code == 0
    told = json.loads(out)
    assert told["desk"]["total_return"] == pytest.approx(0.0, abs=0.005)
    assert told["manifest"]["source"].startswith("file with actions ")
    without = json.loads(backtest(tmp_path, monkeypatch, "--bars", bars)[1])
    assert without["desk"]["total_return"] < -0.4
    assert without["folder"] != told["folder"]


def test_backtest_when_prices_are_adjusted_takes_no_actions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    code, _, complaint = backtest(tmp_path, monkeypatch, "--actions", a_file(tmp_path, HEAD + SPLIT))
    assert (code, "--actions: goes with --bars" in complaint) == (2, True)
