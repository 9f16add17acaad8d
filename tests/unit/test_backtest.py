"""A backtest: fills at the next bar, each from a consensus, one path for the portfolio, and nothing from the future."""

import asyncio
import json
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from shared import rehearsal
from shared.agents.decision import Decision, Stateless
from shared.errors import InvalidError
from shared.events.emit import Emit
from shared.events.envelope import Event
from shared.events.market import Bar, Interval, MarketDataReceived
from shared.events.news import HeadlineRead
from shared.events.portfolio import PortfolioChanged
from shared.events.rebalance import RebalanceSuggested
from shared.events.replay import Backtest, TradeFilled
from shared.events.trade import ConsensusReached, OpinionFormed, OpinionGraded, TradeRequested
from shared.grading import DUE_AFTER
from shared.market.recorded import RecordedMarketSource
from shared.projections.port import Row
from shared.replay.backtest import Cast, Played, Run
from shared.replay.manifest import manifest
from shared.replay.report import CONTAMINATED, report
from shared.replay.world import World
from shared.runtime import Role
from tests.backtests import AUTUMN, MIDDLE, AlteredMarketSource, played
from tests.examples import FULL


@pytest.fixture(scope="module")
def autumn() -> tuple[Played, list[Event]]:
    """Give the backtest that most tests look at."""
    return asyncio.run(played())


def of[E: Event](log: list[Event], kind: type[E]) -> list[E]:
    return [event for event in log if isinstance(event, kind)]


def test_fill_when_looked_into_has_a_consensus_that_approved_it(autumn: tuple[Played, list[Event]]) -> None:
    _, log = autumn
    reached = {event.id: event for event in of(log, ConsensusReached)}
    asked = {event.id: event for event in of(log, TradeRequested)}
    suggested = {event.id for event in of(log, RebalanceSuggested)}
    fills = of(log, TradeFilled)
    assert fills
    for fill in fills:
        consensus = reached[fill.data.consensus]
        trade = asked[fill.data.trade]
        assert fill.causationid == consensus.id
        assert (consensus.data.decision, consensus.data.trigger) == ("approved", trade.id)
        assert (trade.data.symbol, trade.data.side) == (fill.data.symbol, fill.data.side)
        assert fill.data.quantity <= trade.data.quantity + 1e-9
    assert {trade.causationid for trade in asked.values()} & suggested


def test_fill_when_looked_into_is_at_the_open_of_the_first_bar_after_its_signal(
    autumn: tuple[Played, list[Event]],
) -> None:
    _, log = autumn
    bars = {(bar.symbol, bar.closed_at): bar for event in of(log, MarketDataReceived) for bar in event.data.bars}
    for fill in of(log, TradeFilled):
        data = fill.data
        later = [moment for symbol, moment in bars if symbol == data.symbol and moment > data.decided_at]
        assert data.bar_closed_at == min(later) == fill.time
        factor = 1.0005 if data.side == "buy" else 0.9995
        assert data.price == pytest.approx(bars[data.symbol, data.bar_closed_at].open * factor)


def test_portfolio_when_trades_are_filled_is_what_the_fills_make_of_it(autumn: tuple[Played, list[Event]]) -> None:
    result, log = autumn
    cash, shares = result.opened.cash, dict(result.opened.shares)
    for fill in of(log, TradeFilled):
        data, sign = fill.data, 1 if fill.data.side == "buy" else -1
        cash -= sign * data.quantity * data.price + data.fee
        shares[data.symbol] = shares.get(data.symbol, 0) + sign * data.quantity
    last = of(log, PortfolioChanged)[-1].data
    assert last.cash == pytest.approx(cash)
    assert {each.symbol: each.quantity for each in last.positions} == pytest.approx(shares)


def test_diary_when_the_range_is_over_holds_the_opening_and_each_day(autumn: tuple[Played, list[Event]]) -> None:
    result, _ = autumn
    assert result.diary.values[0] == pytest.approx(50_000)
    assert [moment.date() for moment in result.diary.moments[:2]] == [date(2008, 9, 2), date(2008, 9, 2)]
    assert result.diary.moments[-1] == datetime(2008, 10, 10, 20, tzinfo=UTC)
    assert len(result.diary.values) == 1 + 29


def test_opinions_when_their_horizon_is_over_are_graded(autumn: tuple[Played, list[Event]]) -> None:
    _, log = autumn
    now = of(log, MarketDataReceived)[-1].time
    voted = [event for event in of(log, OpinionFormed) if event.source == "market_analyst"]
    due = {event.id for event in voted if event.data.abstained is None and event.time + DUE_AFTER <= now}
    assert due
    assert due <= {event.data.opinion for event in of(log, OpinionGraded)}


async def test_run_when_played_again_is_the_same(autumn: tuple[Played, list[Event]]) -> None:
    again, log = await played()
    assert again.outcome == autumn[0].outcome
    assert log == autumn[1]


async def test_run_when_prices_after_a_moment_are_others_is_the_same_until_then(
    autumn: tuple[Played, list[Event]],
) -> None:
    other, log = await played(source=AlteredMarketSource(MIDDLE, 1.5))
    before, same = ([event for event in each if event.time <= MIDDLE] for each in (autumn[1], log))
    assert len(of(before, TradeFilled)) > 0
    assert before == same
    assert other.outcome.hash != autumn[0].outcome.hash


async def test_run_when_rows_of_the_future_are_planted_is_the_same(autumn: tuple[Played, list[Event]]) -> None:
    def planted(asked: Backtest, world: World) -> object:
        late = asked.ends_at + timedelta(days=1)
        canaries = [
            Row("bar:1Day", "AAPL", late, late, b"[1,1,1,1,1]"),
            Row("bar:1Day", "IBM", asked.opens_at, late, b"[1,1,1,1,1]"),
            Row("view:oracle", "AAPL", asked.opens_at, late, b"a canary, which cannot be read"),
        ]
        coroutine = world.projections.apply(canaries)
        with pytest.raises(StopIteration):
            coroutine.send(None)
        return rehearsal.backtested(asked, world)

    cast: Cast = planted  # type: ignore[assignment]
    result = await Run(AUTUMN, RecordedMarketSource(), cast).play()
    assert result.outcome == autumn[0].outcome


@pytest.mark.parametrize(
    ("asked", "reason"),
    [
        ({"first_day": date(1999, 1, 1), "last_day": date(1999, 2, 1)}, "no bar in the 400 days before"),
        (
            {"first_day": date(2013, 3, 4), "last_day": date(2013, 4, 4), "lookback_days": 60},
            "no bar of AAPL, IBM from",
        ),
        ({"symbols": ("TSLA",), "benchmark": "TSLA"}, "TSLA not recorded"),
    ],
)
async def test_run_when_there_are_no_bars_says_so(asked: dict[str, object], reason: str) -> None:
    with pytest.raises(InvalidError, match=reason):
        await played(AUTUMN.model_copy(update=asked))


class PartialSource(AlteredMarketSource):
    """The recording, of which IBM is there before a moment only, and Apple after it."""

    async def bars(self, symbols: tuple[str, ...], interval: Interval, start: datetime, end: datetime) -> list[Bar]:
        asked = tuple(symbol for symbol in symbols if symbol != "XYZ")
        found = await super().bars(asked, interval, start, end)
        early = {"IBM": True, "AAPL": False}
        return [bar for bar in found if early.get(bar.symbol) in (None, bar.closed_at <= MIDDLE)]


async def test_report_when_symbols_lack_bars_says_which_and_since_when() -> None:
    asked = AUTUMN.model_copy(
        update={"symbols": ("AAPL", "GOOG", "IBM", "XYZ"), "agents": ("risk_manager",), "lookback_days": 30}
    )
    result, _ = await played(asked, PartialSource(MIDDLE, 1.0))
    said = report(result, manifest(asked, "file", "0" * 64)).labels
    assert [label.partition(":")[0] for label in said] == [
        "AAPL has no bar before 2008-09-22",
        "IBM has no bar after 2008-09-19",
        "XYZ has no bar at all",
    ]


def test_configuration_when_the_days_are_the_wrong_way_round_is_refused() -> None:
    with pytest.raises(ValueError, match="before first_day"):
        Backtest(first_day=date(2008, 2, 1), last_day=date(2008, 1, 1))
    with pytest.raises(ValueError, match="not among the symbols"):
        Backtest(first_day=date(2008, 1, 1), last_day=date(2008, 2, 1), benchmark="TSLA")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *(("lookback_days", each) for each in (True, 30.5, "30", float("nan"))),
        *(("cash", each) for each in (False, "5", float("nan"), 0.5)),
        *(("news", each) for each in (0, "true")),
        *(("slippage", each) for each in (False, "0.1", -0.1)),
        *(("first_day", each) for each in (0, "0", "1199145600", "2008-01-02T00:00", "0001-01-01")),
        ("last_day", "9999-12-31"),
        *(("symbols", each) for each in (["IBM", "IBM"], "IBM", [])),
        ("max_weight", True),
        ("agents", ["oracle", "oracle"]),
    ],
)
def test_configuration_when_a_value_is_of_another_type_is_refused(field: str, value: object) -> None:
    given = {"first_day": "2008-01-02", "last_day": "2008-02-01"}
    Backtest.model_validate(given)
    with pytest.raises(ValueError, match=field):
        Backtest.model_validate({**given, field: value})
    Backtest.model_validate_json(json.dumps(given | {"symbols": ["IBM"], "cash": 5, "news": True}))


async def test_run_when_some_agents_are_off_hears_only_the_others(autumn: tuple[Played, list[Event]]) -> None:
    names = ("market_analyst", "portfolio_optimizer", "risk_manager")
    _, log = await played(AUTUMN.model_copy(update={"agents": names}))
    assert {event.source for event in of(log, OpinionFormed)} == {"market_analyst", "risk_manager"}
    assert {"oracle", "sentiment_tracker"} < {event.source for event in of(autumn[1], OpinionFormed)}
    assert of(log, TradeFilled)
    with pytest.raises(InvalidError, match="no agent is named seer; there are consensus, market_analyst"):
        await played(AUTUMN.model_copy(update={"agents": ("seer",)}))


async def test_run_when_a_language_model_had_a_part_in_it_is_labelled_contaminated() -> None:
    def told(asked: Backtest, world: World) -> tuple[dict[str, Role], object]:
        roles, grade = rehearsal.backtested(asked, world)
        read = next(event for event in FULL if isinstance(event, HeadlineRead))

        async def reads(event: Event, _state: Stateless, _deps: None) -> Decision[Any]:
            return Decision(emits=(Emit(HeadlineRead.caused_by(event, source="narrator", data=read.data)),))

        return {**roles, "narrator": Role("narrator", Stateless, {MarketDataReceived: reads}, None)}, grade

    short = AUTUMN.model_copy(update={"last_day": date(2008, 9, 5), "lookback_days": 10})
    with_model = await Run(short, RecordedMarketSource(), told).play()  # type: ignore[arg-type]
    without = await Run(short, RecordedMarketSource(), rehearsal.backtested).play()
    labels = [report(each, manifest(short, "file", "0" * 64)).labels for each in (with_model, without)]
    assert labels == [(CONTAMINATED.format(*with_model.diary.models),), ()]
