"""What agents said in a backtest: every vote when it was made, and what each thought at each moment and not before."""

import asyncio
from bisect import bisect_right
from datetime import datetime
from itertools import pairwise
from typing import Any

import pytest

from shared.events.envelope import Event
from shared.events.forecast import ForecastPublished
from shared.events.market import AnalysisCompleted
from shared.events.portfolio import RiskAssessed
from shared.events.rebalance import RebalanceSuggested
from shared.events.trade import ConsensusReached, TradeRequested
from shared.replay.chronicle import Chronicle, Decided, ViewChanges, VoteCast
from shared.replay.manifest import manifest
from shared.replay.report import Report, report
from shared.replay.service import fitting
from tests.backtests import AUTUMN, played
from tests.builders import CLOSE, DAY, altered
from tests.conclusions import CONCLUSIONS
from tests.examples import FULL, REQUEST


@pytest.fixture(scope="module")
def autumn() -> tuple[Report, list[Event]]:
    """Give a backtest's report, and its log."""
    result, log = asyncio.run(played())
    return report(result, manifest(AUTUMN, "recorded", result.outcome.data_hash)), log


def at(view: ViewChanges, place: int) -> Any:
    """Give what was thought at a moment, as a reader of the report finds it; None before it was first thought."""
    known = bisect_right([start for start, _ in view.changes], place)
    return view.changes[known - 1][1] if known else None


def of(found: Report, agent: str, subject: str, name: str) -> ViewChanges:
    return next(each for each in found.views if (each.agent, each.subject, each.name) == (agent, subject, name))


def last[E: Event](log: list[Event], kind: type[E], until: datetime) -> E:
    return [event for event in log if isinstance(event, kind) and event.time <= until][-1]


def test_decided_when_read_is_each_consensus_with_its_votes_in_their_order(autumn: tuple[Report, list[Event]]) -> None:
    found, log = autumn
    reached = [event for event in log if isinstance(event, ConsensusReached)]
    asked = {event.id: event.data for event in log if isinstance(event, TradeRequested)}
    assert reached
    for told, event in zip(found.decided, reached, strict=True):
        trade = asked[event.data.trigger]
        assert (told.trade, told.decided_at, told.decision) == (event.data.trigger, event.time, event.data.decision)
        assert (told.symbol, told.side, told.quantity) == (trade.symbol, trade.side, trade.quantity)
        assert told.score == pytest.approx(event.data.score, abs=5e-5)
        assert [(vote.agent, vote.abstained) for vote in told.votes] == [
            (vote.agent, vote.abstained) for vote in event.data.votes
        ]
        assert [vote.stance for vote in told.votes] == pytest.approx(
            [vote.stance for vote in event.data.votes], abs=5e-5
        )
    assert {fill.trade for fill in found.fills} <= {told.trade for told in found.decided if told.decision == "approved"}


def test_views_when_read_at_a_moment_are_the_last_that_were_known_then(autumn: tuple[Report, list[Event]]) -> None:
    found, log = autumn
    portfolio = AUTUMN.portfolio
    for place, moment in enumerate(found.series.moments):
        analyses = [e.data for e in log if isinstance(e, AnalysisCompleted) and e.time <= moment]
        for symbol in AUTUMN.symbols:
            seen = [each for each in analyses if each.symbol == symbol][-1]
            assert at(of(found, "market_analyst", symbol, "trend"), place) == seen.trend
            assert at(of(found, "market_analyst", symbol, "view"), place) == pytest.approx(seen.view, abs=5e-5)
        forecasts = last(log, ForecastPublished, moment).data.forecasts
        for each in forecasts:
            view = of(found, "oracle", each.symbol, "expected_return")
            assert at(view, place) == pytest.approx(each.horizons[-1].mean, abs=5e-5)
            assert view.unit == f"in {each.horizons[-1].days} days"
    place = len(found.series.moments) - 1
    risk = last(log, RiskAssessed, found.series.moments[-1]).data.measures["ewma_var_95"]
    assert at(of(found, "risk_manager", portfolio, "var_95"), place) == pytest.approx(risk, abs=5e-5)
    plan = last(log, RebalanceSuggested, found.series.moments[-1]).data.orders
    assert at(of(found, "portfolio_optimizer", portfolio, "orders"), place) == len(plan)


def test_views_when_nothing_changed_hold_no_second_entry(autumn: tuple[Report, list[Event]]) -> None:
    for view in autumn[0].views:
        places, values = zip(*view.changes, strict=True)
        assert list(places) == sorted(set(places))
        assert all(one != other for one, other in pairwise(values))
        assert max(places) < len(autumn[0].series.moments)


def test_decided_when_heard_is_what_the_consensus_says_to_four_digits() -> None:
    reached = next(event for event in FULL if isinstance(event, ConsensusReached))
    vote, *_ = reached.data.votes
    votes = (vote.model_copy(update={"stance": 1 / 3, "confidence": 2 / 3}),)
    said = {"votes": votes, "score": -1 / 3, "decided_at": CLOSE + DAY}
    chronicle = Chronicle()
    chronicle.hear(REQUEST)
    chronicle.hear(altered(reached, data=reached.data.model_copy(update=said)))
    assert chronicle.decided == [
        Decided(
            trade=REQUEST.id,
            symbol="AAPL",
            side="buy",
            quantity=10,
            decision="rejected",
            score=-0.3333,
            vetoes=("no",),
            decided_at=CLOSE + DAY,
            votes=(VoteCast(agent="a", stance=0.3333, confidence=0.6667),),
        )
    ]


def test_views_when_heard_are_what_each_agent_concludes_by_agent_and_subject() -> None:
    chronicle = Chronicle()
    for event in reversed(CONCLUSIONS):
        chronicle.hear(event)
    chronicle.close(3)
    assert [(v.agent, v.subject, v.name, v.unit, v.changes) for v in chronicle.views()] == [
        ("market_analyst", "AAPL", "view", "-1 to +1", ((3, 0.1),)),
        ("market_analyst", "AAPL", "trend", "", ((3, "up"),)),
        ("market_analyst", "AAPL", "regime", "", ((3, "high_volatility"),)),
        ("oracle", "AAPL", "expected_return", "in 21 days", ((3, 0.01),)),
        ("oracle", "AAPL", "loss_probability", "in 21 days", ((3, 0.4),)),
        ("portfolio_optimizer", "main", "orders", "suggested", ((3, 1.0),)),
        ("risk_manager", "main", "var_95", "of value", ((3, 0.0),)),
        ("sentiment_tracker", "AAPL", "sentiment", "-1 to +1", ((3, -0.1),)),
    ]


def test_report_when_it_is_too_long_to_be_kept_says_that_votes_and_views_are_left_out(
    autumn: tuple[Report, list[Event]],
) -> None:
    whole = autumn[0].model_dump_json()
    assert fitting(autumn[0], len(whole)) == whole
    short = Report.model_validate_json(fitting(autumn[0], len(whole) - 1))
    assert (short.decided, short.views) == ((), ())
    assert (short.fills, short.series) == (autumn[0].fills, autumn[0].series)
    assert short.labels[:-1] == autumn[0].labels
    assert "votes and views" in short.labels[-1]
    shorter = Report.model_validate_json(fitting(autumn[0], len(short.model_dump_json()) - 1))
    assert (shorter.decided, shorter.views, shorter.fills) == ((), (), ())
    assert shorter.series == autumn[0].series
    assert shorter.labels[:-1] == short.labels
    assert "its fills" in shorter.labels[-1]


def test_report_when_it_is_measured_counts_bytes(autumn: tuple[Report, list[Event]]) -> None:
    told = autumn[0].model_copy(update={"labels": ("Ünï",)})
    characters = len(told.model_dump_json())
    assert fitting(told, characters + 3) == told.model_dump_json()
    assert Report.model_validate_json(fitting(told, characters)).labels[:-1] == ("Ünï",)
