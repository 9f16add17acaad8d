"""The options strategist: what it suggests for which view, climate and budget, what it abstains from, and why."""

import subprocess
import sys
from datetime import datetime
from typing import Any

import pytest

from shared.agents.options_strategist import NAME, OptionsDeps
from shared.agents.registry import TRADE
from shared.bus.topology import topology
from shared.chain.port import Chain
from shared.chain.surface import read_surface
from shared.errors import MissingError, TransientError
from shared.events.market import Analysis, AnalysisCompleted
from shared.events.options import OptionsRequested, OptionsSuggested
from shared.quant.strategy import STRATEGIES
from tests.builders import CLOSE, DAY, a_bar, a_portfolio, an_options_request, market_data
from tests.standins.desk import an_agent_desk
from tests.unit.options_bench import CALM, EVEN, SEPTEMBER, WILD, Bench, real

NAMES = {strategy.name for strategy in STRATEGIES}


@pytest.fixture
def bench() -> Bench:
    return Bench()


@pytest.mark.parametrize(
    ("closes", "view", "regime", "strategies"),
    [
        (CALM, 0.8, "cheap", {"bull_call_spread"}),
        (CALM, 0.0, "cheap", {"long_straddle", "long_strangle"}),
        (CALM, -0.8, "cheap", {"bear_put_spread"}),
        (WILD, 0.8, "dear", {"bull_put_spread"}),
        (WILD, 0.1, "dear", {"iron_condor"}),
        (WILD, -0.8, "dear", {"bear_call_spread"}),
    ],
)
async def test_strategy_when_view_and_climate_are_known_suits_both(
    bench: Bench, closes: list[float], view: float, regime: str, strategies: set[str]
) -> None:
    await bench.closes(*closes)
    answer = await bench.ask(view=view, risk_budget=5_000)
    assert answer.abstained is None
    assert answer.climate is not None
    assert answer.suggested is not None
    assert answer.climate.regime == regime
    assert answer.suggested.strategy in strategies
    assert {each.strategy for each in answer.rejected} == NAMES - {answer.suggested.strategy}
    assert all(each.reason for each in answer.rejected)


@pytest.mark.parametrize(
    ("closes", "view", "holdings", "cash", "strategies"),
    [
        (WILD, 0.8, {"AAPL": 250.0}, 0, {"covered_call"}),
        (WILD, 0.8, {}, 100_000, {"cash_secured_put", "bull_put_spread"}),
        (CALM, -0.8, {"AAPL": 250.0}, 1_000, {"protective_put", "collar", "bear_put_spread"}),
        (WILD, -0.8, {"AAPL": 250.0}, 1_000, {"collar"}),
    ],
)
async def test_strategy_when_a_portfolio_covers_it_may_be_one_that_needs_that(
    bench: Bench, closes: list[float], view: float, holdings: dict[str, float], cash: float, strategies: set[str]
) -> None:
    await bench.closes(*closes)
    held = a_portfolio(holdings=holdings, cash=cash)
    await bench.store.append([held])
    answer = await bench.ask(view=view, risk_budget=20_000, portfolio="main")
    assert answer.suggested is not None
    assert answer.suggested.strategy in strategies
    assert held.id in {each.event for each in answer.evidence}
    if answer.suggested.strategy in ("covered_call", "collar", "protective_put"):
        assert answer.suggested.contracts <= 2
        assert answer.suggested.legs[0].kind == "stock"
        assert answer.suggested.legs[0].shares == 100 * answer.suggested.contracts


async def reasons(bench: Bench, **changes: Any) -> dict[str, str]:
    return {each.strategy: each.reason for each in (await bench.ask(**changes)).rejected}


async def test_reasons_when_strategies_do_not_suit_say_why(bench: Bench) -> None:
    await bench.closes(*EVEN)
    await bench.store.append([a_portfolio("few", {"AAPL": 99.0}, cash=150)])
    sideways, few = await reasons(bench, view=0.0), await reasons(bench, view=0.0, portfolio="few")
    assert sideways["bull_call_spread"] == "it suits a rise; the view is sideways (+0.00)"
    assert sideways["covered_call"] == "it needs shares to cover it, and the request names no portfolio"
    assert sideways["short_straddle"] == "its loss has no bound, and the budget has"
    assert few["covered_call"] == "it needs 100 shares, the portfolio holds 99"
    assert "in cash, the portfolio has 150.00 USD" in few["cash_secured_put"] or "budget" in few["cash_secured_put"]
    wild = Bench()
    await wild.closes(*WILD)
    assert "it buys volatility, which is dear" in (await reasons(wild, view=0.0))["long_straddle"]
    calm = Bench()
    await calm.closes(*CALM)
    assert "it sells volatility, which is cheap" in (await reasons(calm, view=0.0))["iron_condor"]


async def test_reason_when_another_is_better_gives_both_numbers(bench: Bench) -> None:
    await bench.closes(*CALM)
    answer = await bench.ask(view=0.0, risk_budget=50_000)
    assert answer.suggested is not None
    other = ({"long_straddle", "long_strangle"} - {answer.suggested.strategy}).pop()
    reason = {each.strategy: each.reason for each in answer.rejected}[other]
    assert reason.startswith(f"it suits, but {answer.suggested.strategy} is expected to gain ")


async def test_view_when_the_request_has_none_is_the_analyst_s_weighed_by_its_confidence(bench: Bench) -> None:
    await bench.closes(*EVEN)
    analysis = AnalysisCompleted.caused_by(
        market_data(),
        source="market_analyst",
        data=Analysis(
            symbol="AAPL",
            closed_at=CLOSE,
            close=100.0,
            trend="up",
            view=0.8,
            confidence=0.5,
            indicators={},
            moved_by=(),
        ),
    )
    await bench.projector.project(analysis)
    answer = await bench.ask(view=None)
    assert answer.view == pytest.approx(0.4)
    assert answer.view_of == "market_analyst"
    assert answer.evidence[0].event == analysis.id
    given = await bench.ask(view=-0.4)
    assert (given.view, given.view_of) == (-0.4, "request")


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"view": None}, "the request gives no view of AAPL, and the market_analyst has none"),
        ({"portfolio": "nobody"}, "portfolio nobody is not known at 2008-01-02 21:00 UTC"),
        ({"symbol": "MSFT"}, "no price of MSFT is known at all"),
        ({"time": CLOSE + 30 * DAY}, "no price of AAPL is known since 2008-01-02"),
        ({"time": CLOSE - 150 * DAY}, "the closes of AAPL span 49 days, 80 are needed"),
    ],
)
async def test_strategist_when_it_knows_too_little_abstains_and_says_why(
    bench: Bench, changes: dict[str, Any], reason: str
) -> None:
    await bench.closes(*EVEN)
    answer = await bench.ask(**changes)
    assert (answer.abstained, answer.rationale, answer.suggested) == (reason, reason, None)


class BrokenChains:
    """A source that fails."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    async def read(self, symbol: str, as_of: datetime, horizon_days: int) -> Chain:
        raise self._error


async def test_strategist_when_the_chain_is_missing_abstains_and_when_it_is_late_tries_again(bench: Bench) -> None:
    await bench.closes(*EVEN)
    bars, views, portfolios = bench.deps.bars, bench.deps.views, bench.deps.portfolios
    bench.deps = OptionsDeps(BrokenChains(MissingError("no chain")), bars, views, portfolios)
    assert (await bench.ask()).abstained == "no chain"
    bench.deps = OptionsDeps(BrokenChains(TransientError("away")), bars, views, portfolios)
    with pytest.raises(TransientError, match="away"):
        await bench.ask()


async def test_answer_when_asked_twice_is_the_same_to_the_byte(bench: Bench) -> None:
    await real(bench)
    first = await bench.event(symbol="IBM", view=0.3, time=SEPTEMBER)
    again = Bench()
    await real(again)
    assert (await again.event(symbol="IBM", view=0.3, time=SEPTEMBER)).json_bytes == first.json_bytes
    request = an_options_request(symbol="IBM", view=0.3, time=SEPTEMBER)
    assert (first.causationid, first.stream, first.source) == (request.id, request.stream, NAME)


async def test_answer_when_its_chain_is_synthetic_says_so(bench: Bench) -> None:
    await real(bench)
    answer = await bench.ask(symbol="IBM", view=0.3, time=SEPTEMBER)
    assert answer.chain is not None
    assert answer.chain.origin == "synthetic"
    assert "synthetic" in answer.rationale
    surface = read_surface(await bench.deps.chains.read("IBM", SEPTEMBER, 30))
    assert answer.chain.quotes == len(surface.offers)


def test_strategist_when_trades_are_judged_is_not_asked() -> None:
    assert NAME not in TRADE.judges


async def test_desk_when_options_are_requested_answers_once() -> None:
    desk = an_agent_desk(topology())
    bars = [market_data(a_bar(close=close, closed_at=CLOSE - ago * DAY)) for ago, close in enumerate(reversed(EVEN))]
    await desk.runtime.emit(bars[::-1])
    await desk.run()
    request = an_options_request(time=CLOSE)
    await desk.runtime.emit([request])
    await desk.runtime.emit([request])
    await desk.run()
    answers = [event for event in await desk.log() if isinstance(event, OptionsSuggested)]
    (answer,) = answers
    assert answer.causationid == request.id
    assert answer.data.abstained is None


def test_modules_when_imported_leave_numpy_alone() -> None:
    code = "import sys, shared.agents.registry, shared.chain.synthetic; sys.exit('numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_request_when_typed_is_read() -> None:
    assert isinstance(an_options_request(), OptionsRequested)
