"""The numbers of a suggested strategy: within the budget, those of its legs, and derivatives of its worth."""

import pytest

from shared.quant.payoff import Leg, payoff
from shared.quant.strategy import STRATEGIES
from tests.builders import a_portfolio
from tests.unit.options_bench import CALM, EVEN, SEPTEMBER, Bench, real

NAMES = {strategy.name for strategy in STRATEGIES}


@pytest.fixture
def bench() -> Bench:
    return Bench()


@pytest.mark.parametrize("budget", [300.0, 1_000.0, 12_345.0, 1e9])
@pytest.mark.parametrize("view", [-0.7, 0.0, 0.7])
async def test_budget_when_given_is_never_passed_and_well_used(bench: Bench, budget: float, view: float) -> None:
    await real(bench)
    answer = await bench.ask(symbol="IBM", view=view, risk_budget=budget, time=SEPTEMBER)
    if answer.suggested is None:
        assert all("budget" in each.reason for each in answer.rejected if "risks" in each.reason)
        return
    assert answer.suggested.risk <= budget
    assert answer.suggested.risk == answer.suggested.max_loss
    assert answer.suggested.risk * (answer.suggested.contracts + 1) / answer.suggested.contracts > budget


async def test_budget_when_too_small_for_anything_leaves_nothing_but_reasons(bench: Bench) -> None:
    await bench.closes(*EVEN)
    answer = await bench.ask(view=0.8, risk_budget=1)
    assert answer.suggested is None
    assert answer.abstained == "no strategy suits; the reason of each is given"
    assert {each.strategy for each in answer.rejected} == NAMES
    assert answer.chain is not None
    assert "the budget is 1.00 USD" in {each.strategy: each.reason for each in answer.rejected}["bull_put_spread"]


@pytest.mark.parametrize("view", [-0.7, 0.0, 0.7])
@pytest.mark.parametrize("portfolio", [None, "main"])
async def test_numbers_when_checked_by_the_legs_are_those_of_the_position(
    bench: Bench, view: float, portfolio: str | None
) -> None:
    await real(bench)
    await bench.store.append([a_portfolio(holdings={"IBM": 300.0}, cash=5_000)])
    answer = await bench.ask(symbol="IBM", view=view, risk_budget=4_000, portfolio=portfolio, time=SEPTEMBER)
    found = answer.suggested
    assert found is not None
    legs = tuple(Leg(leg.kind, leg.shares, leg.price, leg.strike or 0.0) for leg in found.legs)
    whole = payoff(legs)
    assert found.max_gain == pytest.approx(whole.max_gain)
    assert found.max_loss == pytest.approx(whole.max_loss)
    assert found.break_evens == pytest.approx(whole.break_evens)
    assert found.net_premium == pytest.approx(sum(leg.shares * leg.price for leg in legs if leg.kind != "stock"))
    assert [point.profit for point in found.payoff] == pytest.approx([whole.at(point.price) for point in found.payoff])
    prices = [point.price for point in found.payoff]
    assert prices == sorted(set(prices))
    assert {leg.strike for leg in legs} <= set(prices)
    delta = sum(leg.shares * (1 if leg.delta is None else leg.delta) for leg in found.legs)
    assert found.greeks.delta == pytest.approx(delta)
    assert 0 < found.probability_of_profit < 1


async def test_numbers_when_compared_with_a_revaluation_of_the_position_are_its_derivatives(bench: Bench) -> None:
    await real(bench)
    answer = await bench.ask(symbol="IBM", view=0.0, risk_budget=4_000, time=SEPTEMBER)
    found, chain = answer.suggested, answer.chain
    assert found is not None
    assert chain is not None
    years = (chain.expires_at - chain.quoted_at).total_seconds() / 86_400 / 365

    def worth(spot: float, years: float, more: float, rate: float) -> float:
        from shared.quant.option import CALL, PUT, Terms, value

        total = 0.0
        for leg in found.legs:
            assert leg.strike is not None
            assert leg.implied_volatility is not None
            sign = CALL if leg.kind == "call" else PUT
            terms = Terms(sign, spot, leg.strike, years, rate, chain.dividend_yield, leg.implied_volatility + more)
            total += leg.shares * float(value(terms).price)
        return total

    now, greeks = worth(chain.spot, years, 0, chain.rate), found.greeks
    up, down = worth(chain.spot + 0.01, years, 0, chain.rate), worth(chain.spot - 0.01, years, 0, chain.rate)
    assert greeks.delta == pytest.approx((up - down) / 0.02, rel=1e-4, abs=1e-3)
    assert greeks.gamma == pytest.approx((up - 2 * now + down) / 1e-4, rel=1e-3)
    small = 1e-4
    vega = (worth(chain.spot, years, small / 100, chain.rate) - now) / small
    theta = (worth(chain.spot, years - small / 365, 0, chain.rate) - now) / small
    rho = (worth(chain.spot, years, 0, chain.rate + small / 100) - now) / small
    assert greeks.vega_per_point == pytest.approx(vega, rel=1e-3)
    assert greeks.theta_per_day == pytest.approx(theta, rel=1e-3)
    assert greeks.rho_per_point == pytest.approx(rho, rel=1e-3)


async def test_early_exercise_when_a_put_is_at_the_money_for_long_is_worth_something(bench: Bench) -> None:
    await bench.closes(*CALM)
    answer = await bench.ask(view=-0.9, horizon_days=300, risk_budget=5_000)
    assert answer.suggested is not None
    assert answer.suggested.strategy == "bear_put_spread"
    low, high = (leg.early_exercise or 0.0 for leg in answer.suggested.legs)
    assert 0 < low < high < 1
