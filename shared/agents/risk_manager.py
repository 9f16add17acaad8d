"""The risk manager: measures portfolios against their limits, and vetoes trades that would pass one.

Keeps no state: everything it says follows from the portfolio, the bars known at that moment, and the limits.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from datetime import datetime

from shared.agents.decision import Decision, Stateless
from shared.agents.opinion import Judgment
from shared.agents.recollection import recollected
from shared.agents.risk_measure import ROUNDING, Histories, RiskLimits, assess, assess_fully, assess_once, days_to_sell
from shared.errors import MissingError
from shared.events.emit import Emit
from shared.events.envelope import derive_id
from shared.events.market import MARKET, MarketCrashDetected
from shared.events.news import RegulationChanged
from shared.events.portfolio import Portfolio, PortfolioChanged, Position, RiskAssessed, RiskAssessment, RiskBreach
from shared.events.trade import Evidence, TradeRequested
from shared.memory.port import OwnMemory
from shared.projections.bar import STALE_AFTER, BarHistory
from shared.projections.portfolio import Owned, Portfolios, stream_of

NAME = "risk_manager"
HISTORY_BARS = 251
CONFIDENCE = 0.8
LEAST_CONFIDENCE = 0.1
HALF_A_CENT = 0.005
_SHOWN = ("ewma_var_95", "gross_exposure", "drawdown")
MARKET_SYMBOLS = 50
"""So many of the watchlist are the market that beta is measured to."""
MOST_PORTFOLIOS = 100
MOST_POSITIONS = 2_000
"""An alarm makes the portfolios up to these numbers be measured, so that what it leads to is stored in one commit."""


@dataclass(frozen=True, slots=True)
class RiskDeps:
    """What the risk manager may read, and the symbols that are the market to it."""

    bars: BarHistory
    portfolios: Portfolios
    limits: RiskLimits
    market: tuple[str, ...] = ()
    memory: OwnMemory | None = None


async def on_portfolio_changed(event: PortfolioChanged, _state: Stateless, deps: RiskDeps) -> Decision[Stateless]:
    """Measure the portfolio, and say which limits it passes."""
    assessment = await _measured(event.data, event.time, deps)
    return Decision(emits=(Emit(RiskAssessed.caused_by(event, source=NAME, data=assessment)),))


async def on_market_crash_detected(
    event: MarketCrashDetected, _state: Stateless, deps: RiskDeps
) -> Decision[Stateless]:
    """Measure anew whoever holds what fell; where the market did, every portfolio that holds anything."""
    fell = () if event.data.symbol == MARKET else {event.data.symbol, *event.data.symbols}
    return await _measure_anew(event, fell, deps)


async def on_regulation_changed(event: RegulationChanged, _state: Stateless, deps: RiskDeps) -> Decision[Stateless]:
    """Measure anew whoever holds what an authority's act is about; of none in particular, every portfolio."""
    return await _measure_anew(event, event.data.symbols, deps)


async def _measure_anew(
    event: MarketCrashDetected | RegulationChanged, symbols: Collection[str], deps: RiskDeps
) -> Decision[Stateless]:
    found: list[Owned] = []
    positions = 0
    async for held in deps.portfolios.holders(symbols, event.time):
        positions += len(held.portfolio.positions)
        if len(found) == MOST_PORTFOLIOS or positions > MOST_POSITIONS:
            break
        found.append(held)
    return Decision(emits=tuple([Emit(await _assessed_anew(event, held, deps)) for held in found]))


async def _assessed_anew(event: MarketCrashDetected | RegulationChanged, held: Owned, deps: RiskDeps) -> RiskAssessed:
    stream = stream_of(held.owner, held.portfolio.portfolio)
    assessment = await _measured(held.portfolio, event.time, deps)
    identity = derive_id(event.id, NAME, RiskAssessed.name(), stream)
    found = RiskAssessed.caused_by(event, source=NAME, data=assessment, id=identity, stream=stream)
    # What an event that is everybody's says of a portfolio is its owner's.
    return found.model_copy(update={"owner": held.owner})


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
    before = assess_once(held.data, tuple(histories.items()), deps.limits)
    after = assess(_as_portfolio(held.data.portfolio, cash, positions), histories, deps.limits)
    judgment = _judge(event, held, before, after, deps.limits)
    shown = _liquidity(held, event.data.symbol, positions, histories)
    measured = replace(judgment, evidence=judgment.evidence + shown)
    return await recollected(event, measured, deps.memory)


async def _histories(symbols: Iterable[str], as_of: datetime, deps: RiskDeps) -> Histories:
    return {symbol: await deps.bars.closes(symbol, as_of, limit=HISTORY_BARS) for symbol in sorted(symbols)}


async def _measured(portfolio: Portfolio, now: datetime, deps: RiskDeps) -> RiskAssessment:
    market = deps.market[:MARKET_SYMBOLS]
    histories = await _histories({*market, *(position.symbol for position in portfolio.positions)}, now, deps)
    return assess_fully(portfolio, histories, market, deps.limits)


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
    worse = _passed(event.data.side, before, after)
    used_before, used = _uses(event.data.symbol, before, after, limits)
    veto = "; ".join(f"{b.limit} would be {b.value:.3f}, {b.allowed:.3f} is allowed" for b in worse) or None
    return Judgment(
        stance=-1.0 if veto else _stance(used_before, used),
        confidence=_confidence(max(used_before, used), after),
        rationale=(veto or f"The trade takes the use of the tightest limit from {used_before:.0%} to {used:.0%}.")
        + _caveat(after),
        evidence=_evidence(event, held, before, after) + _limits(held, worse),
        veto=veto,
    )


def _passed(side: str, before: RiskAssessment, after: RiskAssessment) -> list[RiskBreach]:
    """Give the limits that stand against the trade: what it would pass further, and the halt of all buying."""
    halted = [breach for breach in before.breaches if breach.limit == "max_drawdown" and side == "buy"]
    return halted + [
        breach
        for breach in after.breaches
        if breach.limit != "max_drawdown" and breach.value > _value(before, breach.limit) + ROUNDING
    ]


def _limits(held: PortfolioChanged, passed: list[RiskBreach]) -> tuple[Evidence, ...]:
    pairs = [pair for each in passed for pair in ((each.limit, each.value), (f"{each.limit}_allowed", each.allowed))]
    return tuple(Evidence(name=name, value=value, unit="fraction of value", event=held.id) for name, value in pairs)


def _liquidity(
    held: PortfolioChanged, symbol: str, positions: dict[str, float], histories: Histories
) -> tuple[Evidence, ...]:
    before = next((each.quantity for each in held.data.positions if each.symbol == symbol), 0.0)
    pairs = (("before", before), ("after", positions[symbol]))
    found = [(name, days_to_sell(quantity, histories[symbol])) for name, quantity in pairs]
    return tuple(
        Evidence(name=f"days_to_liquidate_{name}", value=days, unit="days", event=held.id)
        for name, days in found
        if days is not None
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
    if kind == "max_weight":
        return assessment.weights.get(symbol, 0.0)
    return assessment.measures.get("gross_exposure", 0.0) if kind == "max_gross" else _var(assessment)


def _var(assessment: RiskAssessment) -> float:
    return assessment.measures.get("ewma_var_95", 0.0)


def _evidence(
    event: TradeRequested, held: PortfolioChanged, before: RiskAssessment, after: RiskAssessment
) -> tuple[Evidence, ...]:
    symbol, source = event.data.symbol, held.id
    pairs = [
        ("weight_before", before.weights.get(symbol, 0.0)),
        ("weight_after", after.weights.get(symbol, 0.0)),
        *((f"{name}_before", before.measures[name]) for name in _SHOWN if name in before.measures),
        *((f"{name}_after", value) for name, value in after.measures.items() if name.endswith("_95")),
        *((f"{name}_after", after.measures[name]) for name in _SHOWN[1:] if name in after.measures),
        *(
            (f"component_var_95_{when}", each.component_var_95.get(symbol, 0.0))
            for when, each in (("before", before), ("after", after))
            if "ewma_var_95" in each.measures
        ),
        *(
            (f"stress_autumn_2008_{when}", each.stress.get("autumn_2008", 0.0))
            for when, each in (("before", before), ("after", after))
        ),
    ]
    return tuple(Evidence(name=name, value=value, unit="fraction of value", event=source) for name, value in pairs)
