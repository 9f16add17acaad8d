"""The recorded market gives the real days, adjusted as it says, and headlines that hold what they promise."""

import csv
import gzip
import json
import subprocess
import sys
from collections import Counter
from datetime import UTC, date, datetime, time, timedelta
from importlib.resources import files
from itertools import pairwise
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from shared.errors import InvalidError
from shared.events.market import Bar, Interval
from shared.market.port import MarketSource
from shared.market.recorded import FIRST_DAY, LAST_DAY, SPLITS, SYMBOLS, RecordedMarketSource
from shared.settings import Settings
from shared.wiring import build

NEW_YORK = ZoneInfo("America/New_York")
BEFORE = datetime(1999, 1, 1, tzinfo=UTC)
AFTER = datetime(2030, 1, 1, tzinfo=UTC)

type Rows = dict[tuple[str, date], dict[str, float]]


@pytest.fixture
def source() -> MarketSource:
    return RecordedMarketSource()


@pytest.fixture(scope="module")
def rows() -> Rows:
    """The package's own file by symbol and day, read without the code under test."""
    packed = (files("bokeh_sampledata") / "_data" / "stocks.csv.gz").read_bytes()
    table = list(csv.DictReader(gzip.decompress(packed).decode().splitlines()))
    numbers = ("Open", "High", "Low", "Close", "Volume", "Adj Close")
    return {
        (row["Ticker"], date.fromisoformat(row["Date"])): {name: float(row[name]) for name in numbers}
        for row in table
        if row["Ticker"] in SYMBOLS
    }


async def every_bar(source: MarketSource) -> list[Bar]:
    return await source.bars(SYMBOLS, "1Day", BEFORE, AFTER)


async def the_bar(source: MarketSource, symbol: str, day: date) -> Bar:
    (bar,) = await source.bars((symbol,), "1Day", midnight(day), midnight(day + timedelta(days=1)))
    return bar


def midnight(day: date) -> datetime:
    return datetime.combine(day, time(0), NEW_YORK)


def day_of(bar: Bar) -> date:
    return bar.closed_at.astimezone(NEW_YORK).date()


async def test_bars_when_all_are_asked_for_are_all_that_is_recorded(source: MarketSource) -> None:
    bars = await every_bar(source)
    assert Counter(bar.symbol for bar in bars) == {"AAPL": 3270, "GOOG": 2148, "IBM": 3270, "MSFT": 3270}
    assert (day_of(bars[0]), day_of(bars[-1])) == (FIRST_DAY, LAST_DAY)


async def test_closes_when_adjusted_are_the_files_own(source: MarketSource, rows: Rows) -> None:
    closes = {(bar.symbol, day_of(bar)): bar.close for bar in await every_bar(source)}
    assert closes == {key: row["Adj Close"] for key, row in rows.items()}


async def test_prices_when_adjusted_keep_their_proportions(source: MarketSource, rows: Rows) -> None:
    for bar in await every_bar(source):
        row = rows[bar.symbol, day_of(bar)]
        scaled = [bar.open / bar.close, bar.high / bar.close, bar.low / bar.close]
        recorded = [row[name] / row["Close"] for name in ("Open", "High", "Low")]
        assert scaled == pytest.approx(recorded, rel=1e-12)


@pytest.mark.parametrize(
    ("symbol", "first", "first_close", "last", "last_close", "split"),
    [
        ("AAPL", date(2008, 1, 2), 194.84, date(2008, 12, 31), 85.35, 1),
        ("GOOG", date(2008, 1, 2), 685.19, date(2008, 12, 31), 307.65, 1),
        ("AAPL", date(2000, 6, 20), 101.25, date(2000, 6, 21), 55.63, 2),
        ("AAPL", date(2005, 2, 25), 88.99, date(2005, 2, 28), 44.86, 2),
        ("MSFT", date(2003, 2, 14), 48.30, date(2003, 2, 18), 24.96, 2),
    ],
)
async def test_returns_when_the_closes_are_public_knowledge_agree(
    source: MarketSource, symbol: str, first: date, first_close: float, last: date, last_close: float, split: int
) -> None:
    earlier, later = await the_bar(source, symbol, first), await the_bar(source, symbol, last)
    assert later.close / earlier.close == pytest.approx(split * last_close / first_close, rel=1e-9)


async def test_returns_when_beyond_thirty_percent_are_only_apples_profit_warning(source: MarketSource) -> None:
    wild = [
        (symbol, day_of(later))
        for symbol in SYMBOLS
        for earlier, later in pairwise(await source.bars((symbol,), "1Day", BEFORE, AFTER))
        if abs(later.close / earlier.close - 1) > 0.3
    ]
    assert wild == [("AAPL", date(2000, 9, 29))]


@pytest.mark.parametrize(
    ("symbol", "day", "shares"),
    [
        ("AAPL", date(2000, 6, 20), 28),
        ("AAPL", date(2000, 6, 21), 28),
        ("AAPL", date(2000, 6, 22), 14),
        ("AAPL", date(2005, 2, 28), 14),
        ("AAPL", date(2005, 3, 1), 7),
        ("GOOG", date(2008, 1, 2), 2),
        ("IBM", date(2000, 3, 1), 1),
        ("MSFT", date(2003, 2, 18), 2),
        ("MSFT", date(2003, 2, 19), 1),
    ],
)
async def test_volume_when_adjusted_counts_the_shares_of_after_all_splits(
    source: MarketSource, rows: Rows, symbol: str, day: date, shares: int
) -> None:
    assert (await the_bar(source, symbol, day)).volume == shares * rows[symbol, day]["Volume"]


def test_splits_when_looked_for_in_the_files_factor_are_the_listed_ones(rows: Rows) -> None:
    factors = [(symbol, day, row["Adj Close"] / row["Close"]) for (symbol, day), row in rows.items()]
    jumps = {
        (symbol, day, round(later / earlier))
        for (before, _, earlier), (symbol, day, later) in pairwise(factors)
        if before == symbol and later / earlier > 1.2
    }
    listed = {(symbol, day, ratio) for symbol in SPLITS for day, ratio in SPLITS[symbol] if day <= LAST_DAY}
    assert jumps == listed


@pytest.mark.parametrize(
    ("day", "utc_hour"),
    [
        (date(2008, 1, 2), 21),
        (date(2006, 3, 13), 21),
        (date(2007, 3, 12), 20),
        (date(2008, 10, 31), 20),
        (date(2008, 11, 3), 21),
    ],
)
async def test_close_when_summer_time_changes_stays_at_four(source: MarketSource, day: date, utc_hour: int) -> None:
    assert (await the_bar(source, "IBM", day)).closed_at == datetime.combine(day, time(utc_hour), UTC)


async def test_bars_when_the_window_touches_a_close_begin_after_it_and_include_its_end(source: MarketSource) -> None:
    wednesday = datetime(2008, 1, 2, 21, tzinfo=UTC)
    thursday = wednesday + timedelta(days=1)
    bars = await source.bars(("IBM",), "1Day", wednesday, thursday)
    assert [bar.closed_at for bar in bars] == [thursday]
    assert await source.bars(("IBM",), "1Day", wednesday, thursday - timedelta(seconds=1)) == []
    assert await source.bars(("IBM",), "1Day", thursday, wednesday) == []


async def test_bars_when_of_several_symbols_are_ordered_by_time_then_symbol(source: MarketSource) -> None:
    bars = await source.bars(("MSFT", "AAPL", "MSFT"), "1Day", midnight(date(2008, 1, 2)), midnight(date(2008, 1, 4)))
    assert [(day_of(bar).day, bar.symbol) for bar in bars] == [(2, "AAPL"), (2, "MSFT"), (3, "AAPL"), (3, "MSFT")]


async def test_bars_when_asked_for_again_are_the_same_whatever_was_done_to_the_answer(source: MarketSource) -> None:
    first = await every_bar(source)
    kept = list(first)
    first.clear()
    assert await every_bar(source) == kept == await every_bar(RecordedMarketSource())


@pytest.mark.parametrize("interval", ["1Min", "5Min", "15Min", "1Hour"])
async def test_bars_when_not_daily_are_refused(source: MarketSource, interval: Interval) -> None:
    with pytest.raises(InvalidError, match=f"only 1Day is recorded, not {interval}"):
        await source.bars(SYMBOLS, interval, BEFORE, AFTER)


async def test_bars_when_a_symbol_is_unknown_name_it_and_those_there_are(source: MarketSource) -> None:
    with pytest.raises(InvalidError, match="FB, TSLA not recorded, only AAPL, GOOG, IBM, MSFT"):
        await source.bars(("TSLA", "AAPL", "FB"), "1Day", BEFORE, AFTER)


FIRST_USE = """
import asyncio, sys
from datetime import UTC, datetime
from shared.market.recorded import RecordedMarketSource

assert "bokeh_sampledata" not in sys.modules
span = datetime(2000, 1, 1, tzinfo=UTC), datetime(2014, 1, 1, tzinfo=UTC)

async def main():
    reading = asyncio.create_task(RecordedMarketSource().bars(("IBM",), "1Day", *span))
    turns = 0
    while not reading.done():
        await asyncio.sleep(0.001)
        turns += 1
    return len(await reading), turns > 3, "pandas" in sys.modules

print(asyncio.run(main()))
"""


def test_first_use_when_in_a_new_process_is_late_off_the_loop_and_without_pandas() -> None:
    root = Path(__file__).parents[2]
    answer = subprocess.run([sys.executable, "-c", FIRST_USE], cwd=root, capture_output=True, text=True, check=False)
    assert (answer.stdout.strip(), answer.stderr) == ("(3270, True, False)", "")


async def test_sample_when_read_is_labelled_dated_and_unique(source: MarketSource) -> None:
    items = await source.news(SYMBOLS, BEFORE, AFTER)
    assert 50 <= len(items) <= 60
    assert len({item.vendor_id for item in items}) == len({item.headline for item in items}) == len(items)
    for item in items:
        day = item.published_at.astimezone(NEW_YORK).date()
        assert date(2007, 9, 1) <= day <= date(2008, 12, 31)
        assert item.vendor_id.startswith(f"sample-{day}-")
        assert (item.origin, item.summary) == ("sample", "")


def test_sample_when_read_as_text_has_every_field_on_every_line_oldest_first() -> None:
    lines = (files("shared.market") / "sample_news.jsonl").read_text().splitlines()
    items = [json.loads(line) for line in lines]
    fields = {"vendor_id", "origin", "symbols", "published_at", "headline", "summary"}
    assert all(set(item) == fields and item["published_at"].endswith("Z") for item in items)
    assert {symbol for item in items for symbol in item["symbols"]} == set(SYMBOLS)
    assert items == sorted(items, key=lambda item: str(item["published_at"]))


async def test_news_when_for_one_symbol_is_its_own_and_the_markets(source: MarketSource) -> None:
    items = await source.news(("IBM",), BEFORE, AFTER)
    assert {item.symbols for item in items} == {(), ("IBM",)}
    assert {item.symbols for item in await source.news((), BEFORE, AFTER)} == {()}


async def test_news_when_about_two_symbols_reaches_each(source: MarketSource) -> None:
    window = midnight(date(2008, 9, 2)), midnight(date(2008, 9, 3))
    google, microsoft = await source.news(("GOOG",), *window), await source.news(("MSFT",), *window)
    assert google == microsoft
    assert [item.symbols for item in google] == [("GOOG", "MSFT")]


async def test_news_when_the_window_touches_an_item_begins_after_it_and_includes_its_end(source: MarketSource) -> None:
    cut = datetime(2008, 1, 22, 13, 20, tzinfo=UTC)
    results = datetime(2008, 1, 22, 21, 30, tzinfo=UTC)
    assert [item.published_at for item in await source.news(("AAPL",), cut, results)] == [results]
    assert await source.news(("AAPL",), cut, results - timedelta(seconds=1)) == []


def a_line(vendor_id: str = "sample-2008-01-15-1", **fields: object) -> str:
    item = {"vendor_id": vendor_id, "headline": "Something happens", "published_at": "2008-01-15T17:45:00Z"}
    return json.dumps(item | {"origin": "sample"} | fields)


async def test_news_when_the_file_is_unordered_comes_oldest_first(tmp_path: Path) -> None:
    path = tmp_path / "news.jsonl"
    early = a_line("early", published_at="2008-01-14T12:00:00-05:00")
    path.write_text("\n".join([a_line("b"), a_line("a"), "", early]))
    items = await RecordedMarketSource(path).news((), BEFORE, AFTER)
    assert [item.vendor_id for item in items] == ["early", "a", "b"]


async def test_news_when_asked_for_again_reads_no_file(tmp_path: Path) -> None:
    path = tmp_path / "news.jsonl"
    path.write_text(a_line())
    source = RecordedMarketSource(path)
    first = await source.news((), BEFORE, AFTER)
    path.unlink()
    assert await source.news((), BEFORE, AFTER) == first


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        ("{", "Invalid JSON"),
        (a_line(headline=""), "headline"),
        (a_line(published_at="2008-01-15T17:45:00"), "published_at"),
        (a_line(symbols=["apple"]), "symbols.0"),
        (a_line(mood="good"), "mood"),
        ("\udcff", "Invalid JSON"),
    ],
)
async def test_news_when_a_line_is_malformed_names_line_and_fault(tmp_path: Path, bad: str, reason: str) -> None:
    path = tmp_path / "news.jsonl"
    path.write_bytes("\n".join([a_line(), "", bad]).encode(errors="surrogateescape"))
    with pytest.raises(InvalidError, match=rf"news line 3: .*{reason}"):
        await RecordedMarketSource(path).news((), BEFORE, AFTER)


async def test_news_when_there_is_no_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidError, match=r"cannot read .*missing\.jsonl"):
        await RecordedMarketSource(tmp_path / "missing.jsonl").news((), BEFORE, AFTER)


async def test_portfolio_when_recorded_is_none(source: MarketSource) -> None:
    assert await source.portfolio() is None


def test_desk_when_the_recording_is_not_installed_says_which_setting_it_lacks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "bokeh_sampledata", None)
    with pytest.raises(InvalidError, match=r"^ALPACA_API_KEY: .* not installed here"):
        build(Settings.from_env({"FINAGENT_DATA": str(tmp_path)}))
