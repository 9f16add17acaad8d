"""The risk manager: measures portfolios against their limits, and vetoes trades that would pass one.

Keeps no state: everything it says follows from the portfolio, the bars known at that moment, and the limits.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import TYPE_CHECKING

from shared.agents.decision import Decision, Stateless
from shared.agents.opinion import Judgment
from shared.errors import MissingError
from shared.events.emit import Emit
from shared.events.portfolio import Portfolio, PortfolioChanged, Position, RiskAssessed, RiskAssessment, RiskBreach
from shared.events.trade import Evidence, TradeRequested
from shared.projections.bar import STALE_AFTER, BarHistory, Closes
from shared.projections.portfolio import Portfolios

if TYPE_CHECKING:
    from shared.quant.risk import Floats

NAME = "risk_manager"
HISTORY_BARS = 251
LEAST_RETURNS = 100
CONFIDENCE = 0.8
LEAST_CONFIDENCE = 0.1
HALF_A_CENT = 0.005
ROUNDING = 1e-9
"""A trade changes the shares of what it does not touch by less than this, in the last digits of a float."""
_LEVELS = (0.95, 0.99)

type Histories = dict[str, Closes]
"""Closes by symbol."""


@dataclass(frozen=True, slots=True)
class RiskLimits:
    """What a portfolio must stay within.

    Attributes
    ----------
    max_weight : float
        Largest share of value in one symbol.
    max_var_95 : float
        Largest one-day EWMA value at risk at 95 %, as a fraction of value.
    """

    max_weight: float
    max_var_95: float


@dataclass(frozen=True, slots=True)
class RiskDeps:
    """What the risk manager may read."""

    bars: BarHistory
    portfolios: Portfolios
    limits: RiskLimits


async def on_portfolio_changed(event: PortfolioChanged, _state: Stateless, deps: RiskDeps) -> Decision[Stateless]:
    """Measure the portfolio, and say which limits it passes."""
    histories = await _histories((position.symbol for position in event.data.positions), event.time, deps)
    assessment = _assess(event.data, histories, deps.limits)
    return Decision(emits=(Emit(RiskAssessed.caused_by(event, source=NAME, data=assessment)),))


async def judge_trade(event: TradeRequested, deps: RiskDeps) -> Judgment:
    """Judge what the trade does to the use of the limits; a limit that it would pass further is a veto.

    Raises
    ------
    MissingError
        No portfolio was named, it is unknown, or the price of a holding or of the symbol is missing or stale.

    Notes
    -----
    The use u of the limits is the larger of weight / `max_weight` of the symbol and EWMA value at risk / `max_var_95`:
    the shares of other symbols stay as they are. Room under a limit is no reason to trade, so the stance is::

        -min(1, u_after)              where the trade raises the use, and -1 with a veto
        +min(1, u_before - u_after)   where it lowers the use
        0                             where the use stays

    The confidence is ``CONFIDENCE * max(u_before, u_after)``, from `LEAST_CONFIDENCE` to `CONFIDENCE`: far from every
    limit others decide. It is halved where the value at risk after the trade is not measured on all holdings.
    """
    held = await _portfolio(event, deps)
    symbols = {position.symbol for position in held.data.positions} | {event.data.symbol}
    histories = await _histories(symbols, event.time, deps)
    price = _price(event.data.symbol, histories, event.time)
    cash, positions = _after_trade(held.data, event, price)
    if cash < 0 or any(quantity < 0 for quantity in positions.values()):
        return _impossible(event, held, cash, price)
    for symbol in sorted(symbols):
        _price(symbol, histories, event.time)
    before = _assess_once(held.data, tuple(histories.items()), deps.limits)
    after = _assess(_as_portfolio(held.data.portfolio, cash, positions), histories, deps.limits)
    return _judge(event, held, before, after, deps.limits)


async def _histories(symbols: Iterable[str], as_of: datetime, deps: RiskDeps) -> Histories:
    return {symbol: await deps.bars.closes(symbol, as_of, limit=HISTORY_BARS) for symbol in sorted(symbols)}


def _assess(portfolio: Portfolio, histories: Histories, limits: RiskLimits) -> RiskAssessment:
    held = [position.symbol for position in portfolio.positions]
    priced = {symbol: histories[symbol] for symbol in held if histories[symbol]}
    values = {p.symbol: p.quantity * priced[p.symbol].last for p in portfolio.positions if p.symbol in priced}
    total = portfolio.cash + sum(values.values())
    weights = {symbol: value / total for symbol, value in values.items()} if total else {}
    known = {symbol: closes for symbol, closes in priced.items() if len(closes) > LEAST_RETURNS}
    measures, observations = _measure(weights, known)
    return RiskAssessment(
        portfolio=portfolio.portfolio,
        value=total,
        weights=weights,
        measures=measures,
        observations=observations,
        prices_as_of=max((closes.moments[-1] for closes in priced.values()), default=None),
        breaches=_breaches(weights, measures, limits),
        unpriced=tuple(symbol for symbol in held if symbol not in priced),
        unmeasured=tuple(symbol for symbol in priced if symbol not in known),
    )


@lru_cache(maxsize=64)
def _assess_once(portfolio: Portfolio, histories: tuple[tuple[str, Closes], ...], limits: RiskLimits) -> RiskAssessment:
    # Most trades find the portfolio and its prices as the trade before did.
    return _assess(portfolio, dict(histories), limits)


def _measure(weights: dict[str, float], histories: Histories) -> tuple[dict[str, float], int]:
    import numpy as np  # a function that measures no risk need not load it

    from shared.quant import risk

    if not weights:
        return {}, 0
    measures = {"concentration_hhi": risk.concentration_hhi(np.array(list(weights.values())))}
    closes = _aligned(histories) if histories else np.empty((0, 0))
    if len(closes) <= LEAST_RETURNS:
        return measures, 0
    shares = np.array([weights[symbol] for symbol in histories])
    returns = risk.portfolio_returns(shares, risk.returns_from_closes(closes))
    for level in _LEVELS:
        name = f"{level:.0%}".rstrip("%")
        measures[f"historical_var_{name}"] = risk.historical_var(returns, level)
        measures[f"historical_es_{name}"] = risk.historical_es(returns, level)
        measures[f"ewma_var_{name}"] = risk.ewma_var(returns, level)
        measures[f"ewma_es_{name}"] = risk.ewma_es(returns, level)
        measures[f"filtered_var_{name}"] = risk.filtered_var(returns, level)
        measures[f"filtered_es_{name}"] = risk.filtered_es(returns, level)
    measures["max_drawdown"] = risk.max_drawdown(returns)
    return measures, len(returns)


def _aligned(histories: Histories) -> "Floats":
    """Closes of shape (n_moments, n_assets) at the moments that all the symbols have in common."""
    import numpy as np

    by_symbol = list(histories.values())
    moments = by_symbol[0].moments
    if any(closes.moments != moments for closes in by_symbol):
        shared = set(moments).intersection(*(closes.moments for closes in by_symbol))
        by_symbol = [_at(closes, shared) for closes in by_symbol]
    return np.column_stack([closes.prices for closes in by_symbol])


def _at(closes: Closes, moments: set[datetime]) -> Closes:
    places = [place for place, moment in enumerate(closes.moments) if moment in moments]
    return Closes(tuple(closes.moments[place] for place in places), closes.prices[places])


def _breaches(weights: dict[str, float], measures: dict[str, float], limits: RiskLimits) -> tuple[RiskBreach, ...]:
    checks = [(f"max_weight:{symbol}", weight, limits.max_weight) for symbol, weight in weights.items()]
    if "ewma_var_95" in measures:
        checks.append(("max_var_95", measures["ewma_var_95"], limits.max_var_95))
    return tuple(RiskBreach(limit=name, value=value, allowed=top) for name, value, top in checks if value > top)


async def _portfolio(event: TradeRequested, deps: RiskDeps) -> PortfolioChanged:
    if event.data.portfolio is None:
        raise MissingError("the request names no portfolio")
    held = await deps.portfolios.get(event.owner, event.data.portfolio, event.time)
    if held is None:
        raise MissingError(f"portfolio {event.data.portfolio} is not known at {event.time:%Y-%m-%d %H:%M} UTC")
    return held


def _price(symbol: str, histories: Histories, now: datetime) -> float:
    closes = histories[symbol]
    if not closes:
        raise MissingError(f"no price of {symbol} is known at all")
    if now - closes.moments[-1] > STALE_AFTER:
        raise MissingError(f"no price of {symbol} is known since {closes.moments[-1]:%Y-%m-%d}")
    return closes.last


def _after_trade(held: Portfolio, event: TradeRequested, price: float) -> tuple[float, dict[str, float]]:
    signed = event.data.quantity if event.data.side == "buy" else -event.data.quantity
    positions = {position.symbol: position.quantity for position in held.positions}
    positions[event.data.symbol] = positions.get(event.data.symbol, 0.0) + signed
    cash = held.cash - signed * price
    # Whoever spends all the cash there is may miss zero by a rounding error.
    return (0.0 if abs(cash) < HALF_A_CENT else cash), positions


def _as_portfolio(name: str, cash: float, positions: dict[str, float]) -> Portfolio:
    # Not validated: what a trade would lead to is to be judged, however large.
    held = [
        Position.model_construct(symbol=symbol, quantity=quantity) for symbol, quantity in positions.items() if quantity
    ]
    return Portfolio.model_construct(portfolio=name, cash=cash, positions=tuple(held))


def _impossible(event: TradeRequested, held: PortfolioChanged, cash: float, price: float) -> Judgment:
    trade = event.data
    if cash < 0:
        veto = f"{trade.quantity:g} {trade.symbol} at {price:.2f} USD cost {-cash:.2f} USD more than the cash there is"
    else:
        veto = f"{trade.quantity:g} {trade.symbol} are more than the portfolio holds, and it does not sell short"
    evidence = (Evidence(name="cash_after", value=cash, unit="USD", event=held.id),)
    return Judgment(stance=-1, confidence=1, rationale=veto, evidence=evidence, veto=veto)


def _judge(
    event: TradeRequested, held: PortfolioChanged, before: RiskAssessment, after: RiskAssessment, limits: RiskLimits
) -> Judgment:
    worse = [breach for breach in after.breaches if breach.value > _value(before, breach.limit) + ROUNDING]
    used_before, used = _uses(event.data.symbol, before, after, limits)
    veto = "; ".join(f"{b.limit} would be {b.value:.3f}, {b.allowed:.3f} is allowed" for b in worse) or None
    return Judgment(
        stance=-1.0 if veto else _stance(used_before, used),
        confidence=_confidence(max(used_before, used), after),
        rationale=(veto or f"The trade takes the use of the tightest limit from {used_before:.0%} to {used:.0%}.")
        + _caveat(after),
        evidence=_evidence(event, held, before, after),
        veto=veto,
    )


def _uses(symbol: str, before: RiskAssessment, after: RiskAssessment, limits: RiskLimits) -> tuple[float, float]:
    # What cannot be measured on one side would look like a risk that the trade brings or takes away.
    comparable = _knows_var(before) and _knows_var(after)
    first, second = (
        max(each.weights.get(symbol, 0.0) / limits.max_weight, _var(each) / limits.max_var_95 if comparable else 0.0)
        for each in (before, after)
    )
    return first, second


def _knows_var(assessment: RiskAssessment) -> bool:
    return "ewma_var_95" in assessment.measures or set(assessment.weights) <= set(assessment.unmeasured)


def _stance(used_before: float, used: float) -> float:
    if abs(used - used_before) <= ROUNDING:
        return 0.0
    return -min(1.0, used) if used > used_before else min(1.0, used_before - used)


def _confidence(used: float, after: RiskAssessment) -> float:
    confidence = max(LEAST_CONFIDENCE, min(CONFIDENCE, CONFIDENCE * used))
    return confidence if "ewma_var_95" in after.measures and not after.unmeasured else confidence / 2


def _caveat(after: RiskAssessment) -> str:
    return f" Too little is known of {', '.join(after.unmeasured)} to measure its risk." if after.unmeasured else ""


def _value(assessment: RiskAssessment, limit: str) -> float:
    kind, _, symbol = limit.partition(":")
    return assessment.weights.get(symbol, 0.0) if kind == "max_weight" else _var(assessment)


def _var(assessment: RiskAssessment) -> float:
    return assessment.measures.get("ewma_var_95", 0.0)


def _evidence(
    event: TradeRequested, held: PortfolioChanged, before: RiskAssessment, after: RiskAssessment
) -> tuple[Evidence, ...]:
    symbol, source = event.data.symbol, held.id
    pairs = [
        ("weight_before", before.weights.get(symbol, 0.0)),
        ("weight_after", after.weights.get(symbol, 0.0)),
        *((f"{name}_before", before.measures[name]) for name in ("ewma_var_95",) if name in before.measures),
        *((f"{name}_after", value) for name, value in after.measures.items() if name.endswith("_95")),
    ]
    return tuple(Evidence(name=name, value=value, unit="fraction of value", event=source) for name, value in pairs)
