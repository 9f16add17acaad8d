"""The read models: what was known at a moment, whatever the order of the events, and the same again after a rebuild."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.agents.market_analyst import AnalystDeps, AnalystState, on_market_data_received
from shared.agents.own_state import OwnState
from shared.events.catalogue import decode
from shared.events.envelope import Event
from shared.events.market import Analysis, AnalysisCompleted, MarketDataReceived
from shared.projections.bar import BarHistory
from shared.projections.in_memory import InMemoryProjectionStore
from shared.projections.portfolio import Portfolios
from shared.projections.projector import Projector
from shared.projections.view import Views
from shared.store.in_memory import InMemoryEventStore
from shared.watchlist import Watchlist
from tests.builders import CLOSE, DAY, HOUR, MINUTE, a_bar, a_portfolio, a_trade_request, market_data
from tests.examples import FULL

MOMENTS = tuple(CLOSE + n * HOUR for n in range(-24, 24 * 8, 12))


class Desk:
    """A log, its projector and the readers."""

    def __init__(self) -> None:
        self.store, self.projections = InMemoryEventStore(), InMemoryProjectionStore()
        self.projector = Projector(self.projections, self.store)
        self.bars = BarHistory(self.projections, "1Day")
        self.portfolios = Portfolios(self.projections, self.store)
        self.views = Views(self.projections)

    async def project(self, *events: Event) -> None:
        await self.store.append(events)
        for event in events:
            await self.projector.project(event)

    async def closes(self, as_of: datetime, **asked: object) -> list[float]:
        return [bar.close for bar in await self.bars.read("AAPL", as_of, **asked)]  # type: ignore[arg-type]

    async def seen(self) -> list[object]:
        """Give all that can be read, at many moments."""
        return [
            (
                await self.bars.read("AAPL", moment),
                [held.portfolio async for held in self.portfolios.holders(("AAPL",), moment)],
                [await self.views.latest(agent, "AAPL", moment) for agent in ("market_analyst", "sentiment_tracker")],
                await self.views.latest("risk_manager", "main", moment),
            )
            for moment in MOMENTS
        ]


async def names_of_holders(desk: Desk, as_of: datetime) -> list[str]:
    return [held.portfolio.portfolio async for held in desk.portfolios.holders(("AAPL",), as_of)]


def a_day(number: int, close: float, *, known: timedelta = timedelta()) -> MarketDataReceived:
    """Give a day's bar, which came to be known some time after its close."""
    closed_at = CLOSE + number * DAY
    return market_data(a_bar(close=close, closed_at=closed_at), time=closed_at + known)


def an_analysis(number: int, view: float, *, known: timedelta = timedelta()) -> AnalysisCompleted:
    """Give a view after a day's close, which was formed some time later."""
    cause = a_day(number, 100 + view, known=known)
    data = Analysis(
        symbol="AAPL",
        closed_at=cause.data.bars[0].closed_at,
        close=1,
        trend="up",
        view=view,
        confidence=1,
        indicators={},
        moved_by=(),
    )
    return AnalysisCompleted.caused_by(cause, source="market_analyst", data=data)


async def test_bars_when_read_as_of_a_moment_are_those_known_by_then() -> None:
    desk = Desk()
    await desk.project(a_day(0, 10), a_day(1, 11), a_day(2, 12), a_day(0, 99, known=2 * DAY + HOUR))
    assert await desk.closes(CLOSE - MINUTE) == []
    assert await desk.closes(CLOSE) == [10]
    assert await desk.closes(CLOSE + 2 * DAY) == [10, 11, 12]
    assert await desk.closes(CLOSE + 3 * DAY) == [99, 11, 12]
    assert await desk.closes(CLOSE + 3 * DAY, limit=2) == [11, 12]
    assert await desk.closes(CLOSE + 3 * DAY, after=CLOSE + DAY) == [12]
    closes = await desk.bars.closes("AAPL", CLOSE + 3 * DAY, limit=2)
    assert closes.moments == (CLOSE + DAY, CLOSE + 2 * DAY)
    assert closes.prices.tolist() == [11, 12]


@settings(max_examples=60, deadline=None)
@given(data=st.data())
async def test_closes_when_bars_come_late_corrected_and_again_are_those_of_the_bars(data: st.DataObject) -> None:
    desk, moments = Desk(), [CLOSE + number * DAY for number in range(8)]
    for step in range(data.draw(st.integers(1, 8))):
        number, delay = data.draw(st.integers(0, 5)), data.draw(st.integers(0, 2))
        await desk.project(a_day(number, data.draw(st.integers(1, 3)), known=delay * DAY))
        if step == 5:
            await desk.projector.rebuild()
        for as_of in data.draw(st.permutations(moments)):
            bars = await desk.bars.read("AAPL", as_of, limit=3)
            closes = await desk.bars.closes("AAPL", as_of, limit=3)
            assert closes.moments == tuple(bar.closed_at for bar in bars)
            assert closes.prices.tolist() == [bar.close for bar in bars]


async def test_closes_when_no_bar_came_are_read_once() -> None:
    desk = Desk()
    await desk.project(a_day(0, 10), a_day(1, 11))
    first = await desk.bars.closes("AAPL", CLOSE + DAY, limit=5)
    assert await desk.bars.closes("AAPL", CLOSE + 9 * DAY, limit=5) is first
    assert len(await desk.bars.closes("AAPL", CLOSE + DAY, limit=1)) == 1
    await desk.project(a_day(2, 12))
    assert (await desk.bars.closes("AAPL", CLOSE + 9 * DAY, limit=5)).last == 12


async def test_closes_when_kept_cannot_be_changed_by_who_reads_them() -> None:
    desk = Desk()
    await desk.project(a_day(0, 10))
    closes = await desk.bars.closes("AAPL", CLOSE, limit=5)
    with pytest.raises(ValueError, match="read-only"):
        closes.prices[0] = 1


async def test_bar_when_read_is_the_one_that_was_received() -> None:
    desk, bar = Desk(), a_bar("BRK.B", open=0.1 + 0.2, close=1 / 3, high=7e11, low=1e-9, volume=0)
    await desk.project(market_data(bar))
    (read,) = await desk.bars.read("BRK.B", CLOSE)
    assert read == bar
    assert read.model_dump_json() == bar.model_dump_json()


async def test_bars_when_of_another_interval_are_kept_apart() -> None:
    desk = Desk()
    await desk.project(market_data(a_bar(), interval="1Hour"))
    assert await desk.closes(CLOSE) == []
    assert len(await BarHistory(desk.projections, "1Hour").read("AAPL", CLOSE)) == 1


STORY: tuple[Event, ...] = (
    *(a_day(n, 100.0 + n) for n in range(4)),
    a_day(1, 77, known=2 * DAY + HOUR),
    a_day(1, 78, known=3 * DAY + HOUR),
    an_analysis(0, 0.1),
    an_analysis(1, 0.2, known=2 * DAY),
    an_analysis(2, 0.3, known=DAY),
    a_portfolio(),
    a_portfolio(holdings={}, time=CLOSE + DAY),
    a_portfolio("other", time=CLOSE + HOUR),
    *(event for event in FULL if event.type in ("sentiment.scored", "risk.assessed")),
)


@given(st.permutations(STORY), st.lists(st.sampled_from(STORY), max_size=5))
@settings(max_examples=30, deadline=None)
async def test_read_models_when_events_come_in_any_order_or_twice_are_the_same(
    events: Sequence[Event], again: Sequence[Event]
) -> None:
    expected, desk = Desk(), Desk()
    await expected.project(*STORY)
    await desk.project(*events, *again)
    assert await desk.seen() == await expected.seen()


async def test_view_when_a_history_is_read_at_once_is_that_of_the_last_close() -> None:
    joined = 9 * DAY
    history = [an_analysis(n, n / 10, known=joined - n * DAY) for n in range(8)]
    for order in (history, history[::-1]):
        desk = Desk()
        await desk.project(*order)
        body = await desk.views.latest("market_analyst", "AAPL", CLOSE + joined)
        assert body == history[-1].json_bytes
        assert await desk.views.latest("market_analyst", "AAPL", CLOSE + joined - MINUTE) is None


async def test_view_when_there_are_several_agents_and_subjects_is_each_ones_own() -> None:
    desk = Desk()
    await desk.project(*FULL)
    assert await desk.views.subjects("market_analyst") == ["AAPL"]
    assert await desk.views.subjects("risk_manager") == ["main"]
    assert await desk.views.subjects("astrologer") == []
    assert await desk.views.subjects("oracle") == ["AAPL"]
    body = await desk.views.latest("sentiment_tracker", "AAPL", CLOSE)
    assert body is not None
    assert decode(body).type == "sentiment.scored"
    assert await desk.views.latest("sentiment_tracker", "IBM", CLOSE) is None


async def test_view_when_a_late_bar_changes_it_is_not_dated_before_what_it_knows() -> None:
    desk = Desk()
    deps = AnalystDeps(desk.bars, OwnState(desk.store, "market_analyst", AnalystState), Watchlist(("AAPL",)))
    days = [a_day(n, 100.0 + n * n) for n in range(60)]
    state, late = AnalystState(), days.pop(55).model_copy(update={"data": a_day(55, 1.0).data})
    for event in [*days, late]:
        await desk.project(event)
        decision = await on_market_data_received(event, state, deps)
        state = decision.state or state
        await desk.project(*(emit.event for emit in decision.emits))
    events = [decode(body) for body in [await desk.views.latest("market_analyst", "AAPL", CLOSE + 99 * DAY)] if body]
    assert [event.causationid for event in events] == [late.id]
    assert [event.time for event in events] == [CLOSE + 59 * DAY]
    early = await desk.views.latest("market_analyst", "AAPL", CLOSE + 57 * DAY)
    assert early is not None
    assert decode(early).data.closed_at <= CLOSE + 57 * DAY


async def test_portfolios_when_they_change_are_known_with_their_holders() -> None:
    desk = Desk()
    first, emptied = a_portfolio(), a_portfolio(holdings={"IBM": 1.0}, time=CLOSE + DAY)
    other = a_portfolio("another", {"AAPL": 1.0, "IBM": 1.0}, time=CLOSE + HOUR)
    await desk.project(first, emptied, other)
    assert await desk.portfolios.names(None) == ["another", "main"]
    assert await desk.portfolios.get(None, "main", CLOSE - MINUTE) is None
    assert await desk.portfolios.get(None, "main", CLOSE + HOUR) == first
    assert await desk.portfolios.get(None, "main", CLOSE + DAY) == emptied
    assert await names_of_holders(desk, CLOSE) == ["main"]
    assert await names_of_holders(desk, CLOSE + HOUR) == ["another", "main"]
    assert await names_of_holders(desk, CLOSE + DAY) == ["another"]


async def test_portfolio_when_it_changed_just_now_is_seen_before_the_projector_is() -> None:
    desk, changed = Desk(), a_portfolio()
    await desk.store.append([changed])
    assert await desk.portfolios.get(None, "main", CLOSE) == changed
    assert await desk.portfolios.names(None) == []


async def test_read_models_when_rebuilt_are_what_they_were() -> None:
    desk = Desk()
    await desk.project(*STORY, a_trade_request())
    before = await desk.seen()
    assert await desk.projector.rebuild() == len(STORY) + 1
    assert await desk.seen() == before


@pytest.mark.parametrize("count", [0, 1, 499, 500, 501, 1_200])
async def test_rebuild_when_the_log_has_many_pages_reads_each_event_once(count: int) -> None:
    desk = Desk()
    await desk.store.append([a_day(n, 1 + n) for n in range(count)])
    await desk.projector.project(a_day(-5, 7))
    assert await desk.projector.rebuild() == count
    assert await desk.closes(CLOSE + 2_000 * DAY, limit=2_000) == [1 + n for n in range(count)]


async def test_rebuild_when_events_are_of_a_replay_leaves_them_out() -> None:
    desk = Desk()
    await desk.store.append([a_day(0, 1), market_data(a_bar(close=9), run="replay-1")])
    assert await desk.projector.rebuild() == 1
    assert await desk.closes(CLOSE) == [1]


async def test_event_when_it_belongs_to_a_replay_changes_no_read_model() -> None:
    desk = Desk()
    await desk.project(market_data(run="replay-1"))
    assert await desk.closes(CLOSE) == []
    assert await desk.projector.rebuild() == 0
