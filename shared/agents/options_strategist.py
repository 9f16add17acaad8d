"""The options strategist: asked for it, suggests what to do with options on a share, and says why not the rest.

Keeps no state. What suits follows from a view, from how dear volatility is, and from what may be lost; of what suits,
the strategy with the largest expected profit per dollar at risk is suggested. It does not vote on trades: a synthetic
chain holds nothing that the other agents' prices do not, and a real one implies how far a share may move, not where.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from shared.agents.decision import Decision, Stateless
from shared.agents.option_candidate import Candidate, Situation, consider, describe
from shared.chain.history import HISTORY_BARS, check_closes, span_years
from shared.chain.port import ChainSource
from shared.errors import MissingError
from shared.events.catalogue import decode
from shared.events.emit import Emit
from shared.events.market import AnalysisCompleted
from shared.events.options import (
    ChainRead,
    Climate,
    OptionsRequested,
    OptionsSuggested,
    OptionsSuggestion,
    RejectedStrategy,
)
from shared.events.trade import Evidence
from shared.projections.bar import BarHistory, Closes
from shared.projections.portfolio import Portfolios
from shared.projections.view import Views

if TYPE_CHECKING:
    from shared.chain.surface import Surface

NAME = "options_strategist"
ANALYST = "market_analyst"
DEAR, CHEAP = 0.7, 0.3
_RATIONALE_CHARS = 2_000


@dataclass(frozen=True, slots=True)
class OptionsDeps:
    """What the options strategist may read."""

    chains: ChainSource
    bars: BarHistory
    views: Views
    portfolios: Portfolios


@dataclass(frozen=True, slots=True)
class _View:
    value: float
    of: str
    evidence: Evidence


@dataclass(frozen=True, slots=True)
class _Holding:
    cash: float | None = None
    shares: float | None = None
    evidence: tuple[Evidence, ...] = ()


async def on_options_requested(event: OptionsRequested, _state: Stateless, deps: OptionsDeps) -> Decision[Stateless]:
    """Suggest a strategy, or say why none is suggested."""
    try:
        suggestion = await _suggest(event, deps)
    except MissingError as error:
        suggestion = _abstention(event, str(error))
    return Decision(emits=(Emit(OptionsSuggested.caused_by(event, source=NAME, data=suggestion)),))


async def _suggest(event: OptionsRequested, deps: OptionsDeps) -> OptionsSuggestion:
    from shared.chain.surface import read_surface  # numpy, which a process that is never asked need not load

    wish = event.data
    closes = await deps.bars.closes(wish.symbol, event.time, limit=HISTORY_BARS)
    check_closes(wish.symbol, closes, event.time)
    view, holding = await _view(event, deps), await _holding(event, deps)
    surface = read_surface(await deps.chains.read(wish.symbol, event.time, wish.horizon_days))
    climate = _climate(surface, closes)
    situation = Situation(surface, climate, view.value, wish.risk_budget, holding.cash, holding.shares)
    best, rejected = _choose(situation)
    about: dict[str, Any] = {
        "symbol": wish.symbol,
        "view": view.value,
        "view_of": view.of,
        "climate": climate,
        "chain": _read(surface),
        "rejected": rejected,
        "evidence": (view.evidence, *holding.evidence),
    }
    if best is None:
        reason = "no strategy suits; the reason of each is given"
        return OptionsSuggestion(**about, abstained=reason, rationale=f"Nothing is suggested: {reason}.")
    return OptionsSuggestion(**about, suggested=describe(best, situation), rationale=_explain(best, situation, view))


def _abstention(event: OptionsRequested, reason: str) -> OptionsSuggestion:
    said = reason[:_RATIONALE_CHARS]
    return OptionsSuggestion(symbol=event.data.symbol, rationale=said, abstained=said)


async def _view(event: OptionsRequested, deps: OptionsDeps) -> _View:
    wish = event.data
    if wish.view is not None:
        return _View(wish.view, "request", Evidence(name="view", value=wish.view, unit="-1 to 1", event=event.id))
    body = await deps.views.latest(ANALYST, wish.symbol, event.time)
    latest = decode(body, AnalysisCompleted.name()) if body else None
    if not isinstance(latest, AnalysisCompleted):
        raise MissingError(f"the request gives no view of {wish.symbol}, and the {ANALYST} has none")
    weighed = latest.data.view * latest.data.confidence
    return _View(weighed, ANALYST, Evidence(name="view x confidence", value=weighed, unit="-1 to 1", event=latest.id))


async def _holding(event: OptionsRequested, deps: OptionsDeps) -> _Holding:
    wish = event.data
    if wish.portfolio is None:
        return _Holding()
    held = await deps.portfolios.get(event.owner, wish.portfolio, event.time)
    if held is None:
        raise MissingError(f"portfolio {wish.portfolio} is not known at {event.time:%Y-%m-%d %H:%M} UTC")
    shares = sum(position.quantity for position in held.data.positions if position.symbol == wish.symbol)
    evidence = (
        Evidence(name="cash", value=held.data.cash, unit="USD", event=held.id),
        Evidence(name=f"shares of {wish.symbol}", value=shares, event=held.id),
    )
    return _Holding(held.data.cash, shares, evidence)


def _climate(surface: "Surface", closes: Closes) -> Climate:
    from shared.quant.realised_volatility import expected_volatility, percentile, realised

    known = realised(closes.prices, span_years(closes))
    place = percentile(surface.volatility, known)
    regime: Literal["dear", "fair", "cheap"] = "dear" if place >= DEAR else "cheap" if place <= CHEAP else "fair"
    return Climate(
        regime=regime,
        implied=surface.volatility,
        realised=known.now,
        expected=expected_volatility(known, surface.chain.years),
        percentile=place,
    )


def _choose(situation: Situation) -> tuple[Candidate | None, tuple[RejectedStrategy, ...]]:
    from shared.quant.strategy import STRATEGIES

    reasons, suited = dict[str, str](), list[Candidate]()
    for strategy in STRATEGIES:
        try:
            suited.append(consider(strategy, situation))
        except MissingError as error:
            reasons[strategy.name] = str(error)
    best = max(suited, key=lambda candidate: candidate.merit, default=None)
    for other in suited:
        if best is not None and other is not best:
            reasons[other.strategy.name] = (
                f"it suits, but {best.strategy.name} is expected to gain {100 * best.merit:+.1f} USD per 100 USD at"
                f" risk, this {100 * other.merit:+.1f} USD"
            )
    named = (strategy.name for strategy in STRATEGIES if strategy.name in reasons)
    return best, tuple(RejectedStrategy(strategy=name, reason=reasons[name]) for name in named)


def _read(surface: "Surface") -> ChainRead:
    chain = surface.chain
    return ChainRead(
        origin=chain.origin,
        quoted_at=chain.quoted_at,
        expires_at=chain.expires_at,
        spot=chain.spot,
        rate=chain.rate,
        dividend_yield=chain.dividend_yield,
        quotes=len(surface.offers),
        dropped=surface.dropped,
    )


def _explain(best: Candidate, situation: Situation, view: _View) -> str:
    climate, chain = situation.climate, situation.surface.chain
    made = " Its quotes are synthetic: made from the share's own closes." if chain.origin == "synthetic" else ""
    return (
        f"The view of the {view.of} is {situation.direction} ({view.value:+.2f}) and volatility is {climate.regime}:"
        f" {climate.implied:.1%} is implied until {chain.expires_at:%Y-%m-%d}, {climate.realised:.1%} is realised."
        f" Of what suits that and the budget, {best.strategy.name} is expected to gain most for what it risks:"
        f" {100 * best.merit:+.1f} USD per 100 USD.{made}"
    )
