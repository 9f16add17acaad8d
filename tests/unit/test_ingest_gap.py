"""Ingestion over gaps: corrections back, silent symbols, shards and parts that fail; in the end the log has it all."""

from datetime import datetime, timedelta

import pytest

from shared.errors import TransientError
from shared.events.market import Bar, Interval
from shared.ingest import Ingest
from shared.watchlist import SHARD_SIZE
from tests.builders import DAY, HOUR, a_bar, a_headline, a_portfolio
from tests.unit.test_ingest import Desk, Vendor, closes, content, day


class Failing(Vendor):
    """A vendor that fails for what a test names: a symbol, or the calls after the first so many."""

    symbol = ""
    calls_left = 1_000_000

    async def bars(self, symbols: tuple[str, ...], interval: Interval, start: datetime, end: datetime) -> list[Bar]:
        self.calls_left -= 1
        if self.symbol in symbols or self.calls_left < 0:
            raise TransientError("the source is away")
        return await super().bars(symbols, interval, start, end)


async def known(desk: Desk, symbol: str) -> list[float]:
    return [bar.close for bar in await desk.ingest.bars.read(symbol, desk.clock.now())]


def problem(ingest: Ingest) -> str | None:
    return ingest.status["market"].problem


@pytest.mark.parametrize("restarted", [False, True])
async def test_bar_when_corrected_and_corrected_back_is_heard_each_time(restarted: bool) -> None:
    desk = Desk(Vendor(closes(days=range(9, 11))))
    await desk.tick()
    for close in (77.0, 110.0, 77.0, 110.0):
        desk.vendor.correct(a_bar("IBM", close=close, closed_at=day(10)))
        if restarted:
            desk.restart(("AAPL", "IBM"))
        assert [await desk.tick(HOUR) for _ in range(2)] == [1, 0]
        assert await known(desk, "IBM") == [109, close]
    assert len({event.id for event in await desk.log()}) == 6


async def test_bar_when_corrected_back_while_the_clock_is_set_back_holds() -> None:
    desk = Desk(Vendor(closes(days=range(9, 11))))
    await desk.tick(2 * HOUR)
    for close in (77.0, 110.0):
        desk.vendor.correct(a_bar("IBM", close=close, closed_at=day(10)))
        assert await desk.tick(-HOUR / 2) == 1
    desk.clock.advance(DAY)
    assert await known(desk, "IBM") == [109, 110]


async def test_correction_when_it_could_not_be_emitted_is_by_the_next_tick() -> None:
    desk = Desk(Vendor(closes(days=range(9, 11))))
    await desk.tick()
    desk.vendor.correct(a_bar("IBM", close=77.0, closed_at=day(10)))
    desk.bus_trouble = TransientError("the bus is away")
    assert await desk.tick(HOUR) == 0
    desk.bus_trouble = None
    await desk.tick(HOUR)
    assert await known(desk, "IBM") == [109, 77]
    assert len(await desk.log()) == 3


async def test_bar_when_corrected_before_its_event_could_be_published_is_heard_with_the_next_tick() -> None:
    desk = Desk(Vendor(closes(days=range(9, 12))))
    await desk.tick()
    desk.bus_trouble = TransientError("the bus is away")
    await desk.tick(DAY)
    desk.bus_trouble = None
    desk.vendor.correct(a_bar("IBM", close=77.0, closed_at=day(11)))
    assert await desk.tick(HOUR) == 1
    assert await known(desk, "IBM") == [109, 110, 77]


async def test_interval_when_a_symbol_is_missing_from_a_later_answer_stays_as_it_is() -> None:
    desk = Desk(Vendor(closes()))
    await desk.tick()
    desk.vendor.known = closes("AAPL")
    assert await desk.tick(HOUR) == 0
    desk.vendor.known = closes()
    assert await desk.tick(HOUR) == 0


@pytest.mark.parametrize("restarted", [False, True])
async def test_symbol_when_it_speaks_after_a_long_silence_has_no_gap(restarted: bool) -> None:
    desk = Desk(Vendor([*closes("AAPL"), *closes("IBM", days=range(3))]))
    await desk.tick()
    desk.vendor.known = closes("AAPL", days=range(26))
    await desk.tick(15 * DAY)
    if restarted:
        desk.restart(("AAPL", "IBM"))
    desk.vendor.known = closes(days=range(27))
    await desk.tick(DAY)
    assert await known(desk, "IBM") == await known(desk, "AAPL") == [100.0 + n for n in range(27)]
    desk.vendor.asked.clear()
    await desk.tick(HOUR)
    assert len(desk.vendor.asked) == 1


@pytest.mark.parametrize("restarted", [False, True])
async def test_symbol_when_it_was_split_has_its_whole_history_on_the_new_scale(restarted: bool) -> None:
    desk = Desk(Vendor(closes(days=range(20))))
    await desk.tick(9 * DAY)
    if restarted:
        desk.restart(("AAPL", "IBM"))
    split = [a_bar("IBM", close=(100.0 + n) / 2, closed_at=day(n)) for n in range(21)]
    desk.vendor.known = [*closes("AAPL", days=range(21)), *split]
    assert await desk.tick(DAY) == 21
    assert await known(desk, "IBM") == [bar.close for bar in split]
    assert await known(desk, "AAPL") == [100.0 + n for n in range(21)]
    desk.vendor.asked.clear()
    assert await desk.tick(HOUR) == 0
    assert len(desk.vendor.asked) == 1


async def test_symbol_when_its_split_is_told_after_the_first_day_on_the_new_scale_is_read_anew() -> None:
    desk = Desk(Vendor([*closes("IBM", days=range(19)), a_bar("IBM", close=59.5, closed_at=day(19))]), ("IBM",))
    await desk.tick(9 * DAY)
    desk.vendor.known = [a_bar("IBM", close=(100.0 + n) / 2, closed_at=day(n)) for n in range(20)]
    assert await desk.tick(HOUR) == 19
    assert await known(desk, "IBM") == [bar.close for bar in desk.vendor.known]


async def test_symbol_when_what_it_missed_cannot_be_read_yet_has_no_gap_later() -> None:
    vendor = Failing([*closes("AAPL"), *closes("IBM", days=range(3))])
    desk = Desk(vendor)
    await desk.tick()
    vendor.known = closes("AAPL", days=range(26))
    await desk.tick(15 * DAY)
    vendor.known, vendor.calls_left = closes(days=range(27)), 1
    await desk.tick(DAY)
    assert problem(desk.ingest) == "the source is away; no prices of IBM since 2008-01-04"
    vendor.calls_left = 1_000
    await desk.tick(HOUR)
    assert await known(desk, "IBM") == await known(desk, "AAPL")
    assert problem(desk.ingest) is None


async def test_symbols_when_some_are_silent_are_named_with_their_last_day_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    desk = Desk(Vendor([*closes("AAPL"), *closes("IBM", days=range(3))]), ("AAPL", "IBM", "XYZ"))
    for _ in range(3):
        await desk.tick(HOUR)
    assert problem(desk.ingest) == "no prices of IBM since 2008-01-04, XYZ at all"
    assert desk.ingest.status["market"].succeeded_at == desk.clock.now()
    assert len(caplog.records) == 1
    desk.vendor.known = closes("AAPL", "IBM", "XYZ")
    await desk.tick(HOUR)
    assert problem(desk.ingest) is None


async def test_symbols_when_they_rest_over_a_long_weekend_are_not_called_stale() -> None:
    desk = Desk(Vendor(closes()))
    await desk.tick()
    assert await desk.tick(4 * DAY) == 0
    assert problem(desk.ingest) is None


async def test_symbols_when_many_are_silent_are_named_in_part() -> None:
    symbols = tuple(f"S{n}" for n in range(30))
    desk = Desk(Vendor(closes("S0")), symbols)
    await desk.tick()
    assert str(problem(desk.ingest)).endswith("S10 at all, 19 more")


async def test_shard_when_another_one_fails_goes_on() -> None:
    symbols = tuple(f"S{n}" for n in range(SHARD_SIZE + 1))
    vendor = Failing(closes(*symbols, days=range(9, 11)))
    vendor.symbol = "S0"
    desk = Desk(vendor, symbols)
    await desk.tick()
    assert [event.stream for event in await desk.log()] == ["market-1"] * 2
    assert str(problem(desk.ingest)).startswith("the source is away; no prices of S0 at all")
    vendor.symbol = ""
    assert await desk.tick(HOUR) == 2
    assert problem(desk.ingest) is None


async def test_history_when_it_breaks_off_goes_on_where_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shared.ingest._PART_INTERVALS", 6)
    vendor = Failing(closes(days=range(-19, 11)))
    vendor.calls_left = 3
    desk = Desk(vendor)
    await desk.tick()
    assert len(await desk.log()) == 18
    vendor.calls_left = 1_000
    assert await desk.tick(HOUR) == 12
    assert [event.time for event in await desk.log()] == [day(n) for n in range(-19, 11)]
    assert max(end - start for _, start, end in vendor.asked) <= 6 * DAY


async def test_news_when_they_break_off_go_on_where_they_were() -> None:
    desk = Desk(Vendor(headlines=[a_headline(f"On {n}", time=day(n)).data for n in range(-15, 11)]))
    read, calls = desk.vendor.news, list[datetime]()

    async def twice(symbols: tuple[str, ...], start: datetime, end: datetime) -> list[object]:
        calls.append(start)
        if len(calls) == 5:
            raise TransientError("the source is away")
        return await read(symbols, start, end)  # type: ignore[return-value]

    desk.vendor.news = twice  # type: ignore[method-assign, assignment]
    await desk.ingest.news_tick()
    assert len(await desk.log()) > 0
    before = calls[-1]
    await desk.ingest.news_tick()
    assert calls[5] == before - timedelta(days=3)
    assert [event.time for event in await desk.log()] == [day(n) for n in range(-15, 11)]


async def test_bars_when_the_clock_is_set_back_are_not_read_ahead() -> None:
    desk = Desk(Vendor(closes(days=range(12))))
    await desk.tick(DAY)
    assert await desk.tick(-2 * DAY) == 0
    assert [bar.closed_at for bar in await desk.ingest.bars.read("IBM", desk.clock.now())][-1] == day(9)
    assert content(await desk.log())[-1][0] == day(11)


async def test_memory_when_the_desk_goes_on_for_long_keeps_what_ticks_still_meet(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("shared.ingest.MOST_KNOWN", 10)
    vendor = Vendor(closes(days=range(100)), account=a_portfolio().data)
    desk = Desk(vendor)
    for _ in range(90):
        await desk.tick(DAY)
        await desk.ingest.positions_tick()
    assert len(desk.ingest._known) == 10
    assert len(desk.published) == len(await desk.log())
