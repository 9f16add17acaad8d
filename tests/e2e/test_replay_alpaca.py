"""A backtest over Alpaca's history: the real SDK against a stand-in, and the disk that keeps what was asked for."""

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from tests.e2e.process import finagent
from tests.standins.alpaca.faults import body, too_many
from tests.standins.alpaca.rows import bar_row, session_row
from tests.standins.alpaca.server import KEY, SECRET, AlpacaStandIn
from tests.standins.alpaca.service import AlpacaService

BARS = "/v2/stocks/bars"
NEW_YORK = ZoneInfo("America/New_York")
FIRST, LAST = date(2024, 3, 4), date(2024, 3, 15)


def put(service: AlpacaService, symbol: str, factor: float = 1.0) -> None:
    """Put a daily bar for each weekday of two months."""
    days = [datetime(2024, 1, 22, tzinfo=NEW_YORK) + timedelta(days=count) for count in range(60)]
    rows = [bar_row(day, factor * (100 + day.toordinal() % 7 / 5), high=factor * 103) for day in days]
    service.put_bars(symbol, *(row for row, day in zip(rows, days, strict=True) if day.weekday() < 5), timeframe="1Day")


@pytest.fixture
def alpaca() -> Iterator[AlpacaStandIn]:
    """Give a service with two months of one share."""
    with AlpacaStandIn(AlpacaService(now=datetime(2024, 6, 3, 12, tzinfo=UTC))) as standin:
        days = [date(2019, 11, 1) + timedelta(days=count) for count in range(1_700)]
        standin.service.sessions = [session_row(f"{day}") for day in days if day.weekday() < 5]
        put(standin.service, "IBM")
        yield standin


def backtest(folder: Path, alpaca: AlpacaStandIn, *options: str, **settings: str) -> tuple[int, dict[str, Any], str]:
    keys = {"ALPACA_API_KEY": KEY, "ALPACA_SECRET_KEY": SECRET}
    keys |= {"ALPACA_DATA_URL": alpaca.url, "ALPACA_TRADING_URL": alpaca.url}
    asked = options or ("--from", f"{FIRST}", "--to", f"{LAST}")
    command = ["replay", "backtest", "--symbols", "IBM", "--set", "lookback_days=30", "--json", *asked]
    ran = finagent(folder, *command, **keys, **settings)
    assert "Traceback" not in ran.stderr
    return ran.returncode, json.loads(ran.stdout) if ran.stdout else {}, ran.stderr


def test_backtest_when_asked_again_asks_alpaca_nothing_and_is_the_same(tmp_path: Path, alpaca: AlpacaStandIn) -> None:
    alpaca.fail(BARS, too_many(retry_after="0"))
    code, first, complaint = backtest(tmp_path, alpaca)
    assert code == 0, complaint
    asked = len(alpaca.asked(BARS))
    assert asked > 1
    _, again, _ = backtest(tmp_path, alpaca)
    assert (again["hash"], len(alpaca.asked(BARS))) == (first["hash"], asked)
    assert (first["manifest"]["source"], first["labels"]) == ("alpaca", again["labels"])


def test_backtest_when_the_vendor_restated_what_is_asked_anew_is_labelled(
    tmp_path: Path, alpaca: AlpacaStandIn
) -> None:
    _, first, _ = backtest(tmp_path, alpaca)
    for file in (tmp_path / "history").iterdir():
        file.unlink()
    put(alpaca.service, "IBM", factor=2.0)
    code, other, complaint = backtest(tmp_path, alpaca)
    assert code == 0, complaint
    assert other["hash"] != first["hash"]
    assert any("their vendor restated them" in label for label in other["labels"])


def test_backtest_when_what_was_kept_is_corrupt_names_the_file(tmp_path: Path, alpaca: AlpacaStandIn) -> None:
    backtest(tmp_path, alpaca)
    kept = sorted((tmp_path / "history").iterdir())[0]
    kept.write_bytes(kept.read_bytes()[:40])
    code, _, complaint = backtest(tmp_path, alpaca)
    assert (code, f"{kept.name}: what was kept cannot be read; remove it" in complaint) == (2, True)


def test_backtest_when_there_is_nothing_or_half_a_page_says_so_and_keeps_none(
    tmp_path: Path, alpaca: AlpacaStandIn
) -> None:
    code, _, complaint = backtest(tmp_path, alpaca, "--from", "2020-01-02", "--to", "2020-01-31")
    assert (code, "no bar in the 30 days before 2020-01-02" in complaint) == (2, True)
    alpaca.fail(BARS, *[body('{"bars":{"IBM":[{"t":')] * 20)
    code, _, complaint = backtest(tmp_path, alpaca)
    assert code == 2, complaint
    assert complaint.startswith("finagent: ")
    assert list(tmp_path.glob("history/*")) == []
