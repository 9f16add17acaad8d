"""How the portfolio optimizer plans: from a portfolio, its history and views to orders, or to none.

Utility is expected return less risk aversion times variance less cost, per horizon, by the returns that Black and
Litterman's model gives. The covariance is Ledoit and Wolf's without the model's own uncertainty, so that without views
what is held stays.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from math import ceil, floor, sqrt
from typing import TYPE_CHECKING

from shared.errors import InvalidError, MissingError
from shared.events.rebalance import Alternative, Outlook, Rebalance, RebalanceOrder, ViewContribution
from shared.events.trade import Evidence

if TYPE_CHECKING:
    from shared.quant.allocation import Constraints
    from shared.quant.covariance import Floats

HORIZON_DAYS = 21
RISK_AVERSION = 1.5
COST = 0.001
"""Of trading, a fraction of what is traded: half a spread and a commission."""
LEAST_CASH = 0.01
MOST_TURNOVER = 0.5
LEAST_CHANGE = 0.02
"""Nothing is suggested where less than this part of the value would be traded."""
LEAST_ORDER = 0.001
"""Smaller orders are left out."""
LOTS_PER_SHARE = 100
QUANTILE_95 = 1.6449


@dataclass(frozen=True, slots=True)
class Limits:
    """The desk's risk limits.

    Attributes
    ----------
    max_weight : float
        Largest share of value in one symbol.
    max_var_95 : float
        Largest one-day value at risk at 95 %, a fraction of value; by a normal law here.
    """

    max_weight: float
    max_var_95: float


@dataclass(frozen=True, slots=True)
class Opinion:
    """An agent's view of the symbol at `place`.

    Attributes
    ----------
    expected_return : float
        Per horizon; with `is_excess`, above what holding the symbol as now implies.
    confidence : float
        Above 0 to 1.
    event : str
        Id of the event with the view.
    """

    agent: str
    place: int
    expected_return: float
    is_excess: bool
    confidence: float
    event: str


@dataclass(frozen=True, slots=True, eq=False)
class Situation:
    """What a plan rests on; `returns` has the shape (n_days, n_symbols), the rest is in the order of `symbols`."""

    portfolio: str
    symbols: Sequence[str]
    quantities: Sequence[float]
    prices: Sequence[float]
    cash: float
    prices_as_of: datetime
    returns: "Floats"
    opinions: Sequence[Opinion]
    evidence: tuple[Evidence, ...]


def plan(situation: Situation, limits: Limits) -> Rebalance | None:
    """Give the suggestion, or None where hardly anything would change.

    Raises
    ------
    MissingError
        Something that is held has not varied.
    """
    import numpy as np  # a function that never optimises need not load it

    from shared.quant.black_litterman import blend, implied_returns
    from shared.quant.covariance import ledoit_wolf

    values = np.array(situation.quantities) * np.array(situation.prices)
    total = situation.cash + float(values.sum())
    current = values / total
    covariance = ledoit_wolf(situation.returns)[0] * HORIZON_DAYS
    if (np.diag(covariance) <= 0).any():
        raise MissingError("the price of something that is held has not moved")
    opinions = situation.opinions
    prior = implied_returns(covariance, current, RISK_AVERSION)
    places = np.array([each.place for each in opinions], dtype=np.intp)
    said = np.array([each.expected_return + each.is_excess * prior[each.place] for each in opinions])
    posterior = blend(covariance, prior, places, said, np.array([each.confidence for each in opinions]))
    target = _target(posterior.mean, covariance, current, limits)
    orders = _orders(situation, target, current, total)
    traded = sum(order.quantity * order.price for order in orders) / total
    if traded < LEAST_CHANGE:
        return None
    after = current.copy()
    for order in orders:
        after[situation.symbols.index(order.symbol)] = order.weight_after
    views = _contributions(situation, said, posterior.contributions)
    outlooks = [_outlook(weights, posterior.mean, covariance) for weights in (current, after)]
    return Rebalance(
        portfolio=situation.portfolio,
        rationale=_explain(orders, traded, outlooks),
        horizon_days=HORIZON_DAYS,
        value=total,
        prices_as_of=situation.prices_as_of,
        orders=orders,
        before=outlooks[0],
        after=outlooks[1],
        cost=COST * traded,
        views=views,
        alternatives=_alternatives(situation.symbols, covariance, float(after.sum())),
        evidence=situation.evidence,
    )


def _target(mean: "Floats", covariance: "Floats", current: "Floats", limits: Limits) -> "Floats":
    from shared.quant.allocation import mean_variance

    try:
        return mean_variance(mean, covariance, RISK_AVERSION, COST, _constraints(current, limits, MOST_TURNOVER))
    except InvalidError:
        # The limits of risk come first: all cash keeps to them, if that is what it takes.
        return mean_variance(mean, covariance, RISK_AVERSION, COST, _constraints(current, limits, None))


def _constraints(current: "Floats", limits: Limits, turnover: float | None) -> "Constraints":
    from shared.quant.allocation import Constraints

    return Constraints(
        least_invested=0.0,
        most_invested=1 - LEAST_CASH,
        max_weight=limits.max_weight,
        current=current,
        max_turnover=turnover,
        max_volatility=limits.max_var_95 / QUANTILE_95 * sqrt(HORIZON_DAYS),
    )


def _orders(situation: Situation, target: "Floats", current: "Floats", total: float) -> tuple[RebalanceOrder, ...]:
    """Give sales, then purchases, which shrink to the cash that there is then, less what is to stay and the cost.

    Sales are rounded up and purchases down, so that what is held after them is within the limits.
    """
    changes = [change * total if abs(change) >= LEAST_ORDER else 0.0 for change in (target - current).tolist()]
    sold = [
        min(held, ceil(-change / price * LOTS_PER_SHARE) / LOTS_PER_SHARE) if change < 0 else 0.0
        for change, price, held in zip(changes, situation.prices, situation.quantities, strict=True)
    ]
    proceeds = sum(quantity * price for quantity, price in zip(sold, situation.prices, strict=True))
    spendable = max(0.0, situation.cash + proceeds * (1 - COST) - LEAST_CASH * total) / (1 + COST)
    wanted = sum(change for change in changes if change > 0)
    part = min(1.0, spendable / wanted) if wanted else 0.0
    orders = list[RebalanceOrder]()
    for place, (symbol, price) in enumerate(zip(situation.symbols, situation.prices, strict=True)):
        bought = floor(part * max(0.0, changes[place]) / price * LOTS_PER_SHARE) / LOTS_PER_SHARE
        quantity = bought or sold[place]
        if not quantity:
            continue
        held = situation.quantities[place] + (bought - sold[place])
        orders.append(
            RebalanceOrder(
                symbol=symbol,
                side="buy" if bought else "sell",
                quantity=quantity,
                price=price,
                weight_before=float(current[place]),
                weight_after=max(0.0, held * price / total),
            )
        )
    return tuple(sorted(orders, key=lambda order: (order.side == "buy", order.symbol)))


def _contributions(situation: Situation, said: "Floats", contributions: "Floats") -> tuple[ViewContribution, ...]:
    return tuple(
        ViewContribution(
            agent=each.agent,
            symbol=situation.symbols[each.place],
            expected_return=float(expected),
            confidence=each.confidence,
            contribution=float(row[each.place]),
            event=each.event,
        )
        for each, expected, row in zip(situation.opinions, said, contributions, strict=True)
    )


def _outlook(weights: "Floats", mean: "Floats", covariance: "Floats") -> Outlook:
    return Outlook(
        expected_return=float(weights @ mean),
        volatility=_volatility(weights, covariance),
        cash=1 - float(weights.sum()),
    )


def _volatility(weights: "Floats", covariance: "Floats") -> float:
    return sqrt(max(0.0, float(weights @ covariance @ weights)))


def _alternatives(symbols: Sequence[str], covariance: "Floats", invested: float) -> tuple[Alternative, ...]:
    from shared.quant import allocation

    found: list[tuple[str, Floats]] = [
        ("min_variance", allocation.min_variance(covariance, allocation.Constraints())),
        ("risk_parity", allocation.risk_parity(covariance)),
        ("hierarchical_risk_parity", allocation.hierarchical_risk_parity(covariance)),
    ]
    return tuple(
        Alternative.model_validate(
            {
                "objective": name,
                "weights": dict(zip(symbols, (weights * invested).tolist(), strict=True)),
                "volatility": _volatility(weights * invested, covariance),
            }
        )
        for name, weights in found
    )


def _explain(orders: Sequence[RebalanceOrder], traded: float, outlooks: Sequence[Outlook]) -> str:
    before, after = outlooks
    traders = "One order trades" if len(orders) == 1 else f"{len(orders)} orders trade"
    return (
        f"{traders} {traded:.1%} of the value. Over {HORIZON_DAYS} trading days the expected return"
        f" goes from {before.expected_return:+.2%} to {after.expected_return:+.2%} and the volatility from"
        f" {before.volatility:.2%} to {after.volatility:.2%}; cash is {after.cash:.1%} then."
    )
