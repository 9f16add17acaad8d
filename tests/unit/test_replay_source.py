"""Where a replay's bars come from: files that are refused with the row named, and a vendor's history on disk."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from shared.errors import InvalidError
from shared.events.market import Bar, Interval
from shared.events.news import NewsItem
from shared.events.portfolio import Portfolio
from shared.market.recorded import RecordedMarketSource
from shared.replay.bar_file import CsvMarketSource
from shared.replay.cache import CachedMarketSource
from shared.replay.log import written
from tests.builders import CLOSE, DAY, a_bar, a_headline, a_portfolio, a_trade_request, an_opinion

HEAD = "symbol,time,open,high,low,close,volume\n"
GOOD = "AAPL,2008-01-02,10,11,9,10.5,1000\n"
START, END = datetime(2008, 1, 1, tzinfo=UTC), datetime(2008, 1, 12, tzinfo=UTC)


def a_file(folder: Path, text: str) -> Path:
    path = folder / "bars.csv"
    path.write_text(text)
    return path


async def test_file_when_its_rows_are_bars_gives_them_by_time(tmp_path: Path) -> None:
    rows = HEAD + GOOD + "AAPL,2008-01-03T16:00:00-05:00,10,11,9,10.5,1000\n" + GOOD.replace("AAPL", "IBM")
    found = await CsvMarketSource(a_file(tmp_path, rows)).bars(("AAPL", "IBM"), "1Day", START, END)
    assert [(bar.symbol, bar.closed_at) for bar in found] == [("AAPL", CLOSE), ("IBM", CLOSE), ("AAPL", CLOSE + DAY)]
    assert found[0].close == 10.5


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "row 1: the columns must be symbol, time"),
        (HEAD.replace("close", "adjusted") + GOOD, "row 1: the columns must be"),
        (HEAD + GOOD + GOOD, "row 3: AAPL of 2008-01-02 21:00 comes twice"),
        (HEAD + GOOD.replace("01-02", "01-03") + GOOD, "row 3: AAPL of .* after a later one"),
        (HEAD + GOOD + GOOD.replace("01-02", "02-02"), "row 3: AAPL has no bar for 31 days before"),
        (HEAD + GOOD.replace(",10,", ",0,"), "row 2: open"),
        (HEAD + GOOD.replace(",10,", ",-1,"), "row 2: open"),
        (HEAD + GOOD.replace(",10,", ",nan,"), "row 2: open"),
        (HEAD + GOOD.replace(",9,", ",12,"), "row 2: .*between low and high"),
        (HEAD + GOOD.replace("2008-01-02", "2008-01-02T16:00:00"), "row 2: time: .* has no offset"),
        (HEAD + GOOD.replace("2008-01-02", "yesterday"), "row 2: .*yesterday"),
        (HEAD + GOOD + "AAPL,2008-01-03,1", "row 3: has 3 values, not 7"),
        (HEAD + GOOD.replace("2008-01-02", "01/02/2008"), "row 2: time: '01/02/2008' is neither a day"),
        (HEAD + '"AAPL', "row 2: cannot be read"),
        (HEAD + GOOD.replace("2008-01-02", "0001-01-01T00:00:00+05:00"), "row 2: time: .* is neither a day"),
        (HEAD + GOOD.replace("2008-01-02", "9999-12-31T23:00:00-05:00"), "row 2: time: .* is neither a day"),
    ],
)
def test_file_when_a_row_is_wrong_is_refused_and_the_row_named(tmp_path: Path, text: str, reason: str) -> None:
    with pytest.raises(InvalidError, match=reason):
        CsvMarketSource(a_file(tmp_path, text))


def test_file_when_it_cannot_be_read_says_so(tmp_path: Path) -> None:
    with pytest.raises(InvalidError, match="cannot be read"):
        CsvMarketSource(tmp_path / "none.csv")
    (tmp_path / "binary.csv").write_bytes((HEAD + GOOD).encode() + b"\xff\xfe\x00")
    with pytest.raises(InvalidError, match="row 3: cannot be read: this is no text"):
        CsvMarketSource(tmp_path / "binary.csv")


async def test_file_when_its_bars_are_no_days_says_so(tmp_path: Path) -> None:
    source = CsvMarketSource(a_file(tmp_path, HEAD + GOOD.replace("2008-01-02", "2008-01-02T15:00:00-05:00") + GOOD))
    with pytest.raises(InvalidError, match="bars of AAPL at 2008-01-02 20:00 and 21:00 UTC are no 1Day"):
        await source.bars(("AAPL",), "1Day", START, END)
    assert len(await source.bars(("AAPL",), "1Hour", START, END)) == 2


async def test_file_when_a_symbol_is_not_in_it_says_so(tmp_path: Path) -> None:
    with pytest.raises(InvalidError, match="IBM not in the file"):
        await CsvMarketSource(a_file(tmp_path, HEAD + GOOD)).bars(("IBM",), "1Day", START, END)


class CountingSource(RecordedMarketSource):
    """The recording, and how often it was asked."""

    asked = 0

    async def bars(self, symbols: tuple[str, ...], interval: Interval, start: datetime, end: datetime) -> list[Bar]:
        self.asked += 1
        return await super().bars(symbols, interval, start, end)


async def test_history_when_asked_for_again_comes_from_the_disk(tmp_path: Path) -> None:
    source = CountingSource()
    first = await CachedMarketSource(source, tmp_path).bars(("IBM",), "1Day", START, END)
    again = await CachedMarketSource(source, tmp_path).bars(("IBM",), "1Day", START, END)
    other = await CachedMarketSource(source, tmp_path).bars(("IBM",), "1Day", START, END - 2 * DAY)
    assert (first, source.asked) == (again, 2)
    assert len(other) < len(first)


def names(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


async def test_history_when_it_is_not_over_or_has_no_bar_is_asked_for_again(tmp_path: Path) -> None:
    source = CountingSource()
    early = CachedMarketSource(source, tmp_path, lambda: END + timedelta(days=6, hours=23))
    for _ in range(2):
        await early.bars(("IBM",), "1Day", START, END)
        await early.news(("IBM",), START, END)
    assert (source.asked, names(tmp_path)) == (2, [])
    late = CachedMarketSource(source, tmp_path, lambda: END + timedelta(days=7))
    for _ in range(2):
        assert await late.bars(("IBM",), "1Day", START, END)
        assert await late.bars(("IBM",), "1Day", START, START + timedelta(hours=1)) == []
    assert source.asked == 2 + 1 + 2


class Echo:
    """A source that has whatever it is asked for, an account too, and remembers how often it was asked for news."""

    news_asked = 0

    async def bars(self, symbols: tuple[str, ...], interval: Interval, start: datetime, end: datetime) -> list[Bar]:
        """Give a bar of each symbol."""
        return [a_bar(symbol) for symbol in symbols]

    async def news(self, symbols: tuple[str, ...], start: datetime, end: datetime) -> list[NewsItem]:
        """Give a headline."""
        self.news_asked += 1
        return [a_headline().data]

    async def portfolio(self) -> Portfolio | None:
        """Give what the account holds now."""
        return a_portfolio().data


async def test_history_when_other_symbols_lengths_or_windows_are_asked_for_is_kept_apart(tmp_path: Path) -> None:
    cached = CachedMarketSource(Echo(), tmp_path)
    windows: list[tuple[tuple[str, ...], Interval, datetime, datetime]] = [
        (("IBM",), "1Day", START, END),
        (("AAPL",), "1Day", START, END),
        (("IBM",), "1Hour", START, END),
        (("IBM",), "1Day", START + DAY, END),
        (("IBM",), "1Day", START, END - DAY),
    ]
    for window in windows * 2:
        await cached.bars(*window)
    assert len(names(tmp_path)) == len(windows)


async def test_headlines_when_they_are_settled_are_asked_for_once(tmp_path: Path) -> None:
    source = Echo()
    first, again = [await CachedMarketSource(source, tmp_path).news(("IBM",), START, END) for _ in range(2)]
    assert (first, source.news_asked) == (again, 1)
    assert len(again) == 1


async def test_history_when_asked_what_is_held_has_no_account(tmp_path: Path) -> None:
    assert await CachedMarketSource(Echo(), tmp_path).portfolio() is None


class LateSource(CountingSource):
    """The recording, before its vendor had Apple's bars."""

    async def bars(self, symbols: tuple[str, ...], interval: Interval, start: datetime, end: datetime) -> list[Bar]:
        return [bar for bar in await super().bars(symbols, interval, start, end) if bar.symbol != "AAPL"]


async def test_history_when_it_has_bars_of_some_symbols_only_is_asked_for_again(tmp_path: Path) -> None:
    both = ("AAPL", "IBM")
    assert {bar.symbol for bar in await CachedMarketSource(LateSource(), tmp_path).bars(both, "1Day", START, END)} == {
        "IBM"
    }
    assert names(tmp_path) == []
    source = CountingSource()
    first = await CachedMarketSource(source, tmp_path).bars(both, "1Day", START, END)
    only(tmp_path).write_bytes(b"[]")  # what an earlier version kept of an empty answer
    again = await CachedMarketSource(source, tmp_path).bars(both, "1Day", START, END)
    assert (first, source.asked) == (again, 2)
    assert {bar.symbol for bar in first} == {"AAPL", "IBM"}


def only(folder: Path) -> Path:
    (path,) = folder.iterdir()
    return path


async def test_history_when_what_was_kept_is_broken_says_which_file(tmp_path: Path) -> None:
    cached = CachedMarketSource(CountingSource(), tmp_path)
    await cached.bars(("IBM",), "1Day", START, END)
    kept = only(tmp_path)
    kept.write_bytes(kept.read_bytes()[:50])
    with pytest.raises(InvalidError, match=kept.name):
        await cached.bars(("IBM",), "1Day", START, END)


async def test_log_when_read_gives_what_came_from_outside_by_time(tmp_path: Path) -> None:
    request = a_trade_request()
    events = [request, an_opinion(request), a_headline(time=CLOSE - DAY)]
    path = tmp_path / "log.jsonl"
    path.write_bytes(b"".join(event.json_bytes + b"\n" for event in events))
    found = [event async for batch in written(path) for event in batch]
    assert found == [events[2], request]


@pytest.mark.parametrize(("body", "reason"), [(b"{}\n", "line 2: type"), (b"{", "line 2: has no end")])
async def test_log_when_a_line_is_wrong_gives_nothing_and_names_it(tmp_path: Path, body: bytes, reason: str) -> None:
    path = tmp_path / "log.jsonl"
    path.write_bytes(a_trade_request().json_bytes + b"\n" + body)
    with pytest.raises(InvalidError, match=reason):
        await anext(written(path))
