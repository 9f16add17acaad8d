"""The portfolio optimizer: suggests trades that bring a portfolio nearer to what the other agents expect.

It shares a portfolio among what it holds and cash. Without views what is held is taken to be right; views move the
expected returns from there. Keeps no state: its last suggestion is a view, and a suggestion's id is that of its
portfolio and hour, so that the log takes one.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from shared.agents.decision import Decision, Stateless
from shared.agents.rebalance_plan import HORIZON_DAYS, Limits, Opinion, Situation, plan
from shared.errors import MissingError
from shared.events.catalogue import decode
from shared.events.emit import Emit
from shared.events.envelope import Event, derive_id
from shared.events.forecast import Forecast, ForecastPublished
from shared.events.market import AnalysisCompleted
from shared.events.news import SentimentScored
from shared.events.portfolio import PortfolioChanged, RiskAssessed
from shared.events.rebalance import Rebalance, RebalanceSuggested
from shared.events.trade import Evidence
from shared.projections.bar import STALE_AFTER, BarHistory, Closes, aligned
from shared.projections.portfolio import Portfolios
from shared.projections.view import Views

if TYPE_CHECKING:
    from shared.quant.covariance import Floats

NAME = "portfolio_optimizer"
HISTORY_BARS = 251
LEAST_RETURNS = 60
SKILL = 0.1
"""Expected return of a full view, in the standard deviations of the horizon: the information coefficient."""
ANALYSIS_LASTS = timedelta(days=28)
"""An analysis comes when the view changes; that none came says that it stands."""
SENTIMENT_LASTS = timedelta(days=7)
FORECAST_CONFIDENCE = 0.3
FORECAST_OBSERVATIONS = 750
_AGENTS = ("market_analyst", "sentiment_tracker", "oracle")


@dataclass(frozen=True, slots=True)
class OptimizerDeps:
    """What the portfolio optimizer may read, and the limits that it keeps to."""

    bars: BarHistory
    portfolios: Portfolios
    views: Views
    limits: Limits


async def on_risk_assessed(event: RiskAssessed, _state: Stateless, deps: OptimizerDeps) -> Decision[Stateless]:
    """Suggest how to rebalance the portfolio that was measured."""
    held = await deps.portfolios.get(event.owner, event.data.portfolio, event.time)
    return Decision(emits=await _suggest(event, held, deps) if held is not None else ())


async def on_forecast_published(
    event: ForecastPublished, _state: Stateless, deps: OptimizerDeps
) -> Decision[Stateless]:
    """Suggest how to rebalance each portfolio that holds a symbol of the forecasts, whoever owns it."""
    symbols = {forecast.symbol for forecast in event.data.forecasts}
    emits = list[Emit]()
    async for owned in deps.portfolios.holders(symbols, event.time):
        held = await deps.portfolios.get(owned.owner, owned.portfolio.portfolio, event.time)
        emits += await _suggest(event, held, deps) if held is not None else ()
    return Decision(emits=tuple(emits))


async def _suggest(event: Event, held: PortfolioChanged, deps: OptimizerDeps) -> tuple[Emit, ...]:
    hour = event.time.astimezone(UTC).strftime("%Y-%m-%dT%H")
    last = await deps.views.latest(NAME, held.data.portfolio, event.time, held.owner)
    if not held.data.positions or (last is not None and decode(last).time.strftime("%Y-%m-%dT%H") == hour):
        return ()
    try:
        suggestion = plan(await _situation(event, held, deps), deps.limits)
    except MissingError as error:
        reason = str(error)[:2_000]
        suggestion = Rebalance(portfolio=held.data.portfolio, rationale=reason, abstained=reason)
    if suggestion is None:
        return ()
    event_id = derive_id("rebalance", held.stream, hour, event.run)
    suggested = RebalanceSuggested.caused_by(event, source=NAME, data=suggestion, id=event_id, stream=held.stream)
    return (Emit(suggested.model_copy(update={"owner": held.owner})),)


async def _situation(event: Event, held: PortfolioChanged, deps: OptimizerDeps) -> Situation:
    symbols = sorted(position.symbol for position in held.data.positions)
    histories = {symbol: await deps.bars.closes(symbol, event.time, limit=HISTORY_BARS) for symbol in symbols}
    for symbol, closes in histories.items():
        if not closes or event.time - closes.moments[-1] > STALE_AFTER:
            raise MissingError(f"no price of {symbol} is known of the last {STALE_AFTER.days} days")
    returns, deviations = _returns(histories)
    opinions = [
        opinion
        for place, symbol in enumerate(symbols)
        for opinion in await _opinions(event, place, symbol, deviations[place], deps)
    ]
    if not opinions:
        raise MissingError(f"no agent has a view of {', '.join(symbols)}")
    quantities = {position.symbol: position.quantity for position in held.data.positions}
    return Situation(
        portfolio=held.data.portfolio,
        symbols=symbols,
        quantities=[quantities[symbol] for symbol in symbols],
        prices=[histories[symbol].last for symbol in symbols],
        cash=held.data.cash,
        prices_as_of=max(closes.moments[-1] for closes in histories.values()),
        returns=returns,
        opinions=opinions,
        evidence=(Evidence(name="cash", value=held.data.cash, unit="USD", event=held.id), *_measured(event)),
    )


def _measured(event: Event) -> tuple[Evidence, ...]:
    if not isinstance(event, RiskAssessed):
        return ()
    unit = "fraction of value in a day"
    measures = {name: value for name, value in event.data.measures.items() if name == "ewma_var_95"}
    return tuple(Evidence(name=name, value=value, unit=unit, event=event.id) for name, value in measures.items())


def _returns(histories: Mapping[str, Closes]) -> tuple["Floats", list[float]]:
    prices = aligned(histories)
    if len(prices) <= LEAST_RETURNS:
        raise MissingError(f"the holdings have {len(prices)} closes in common, {LEAST_RETURNS + 1} are needed")
    returns = prices[1:] / prices[:-1] - 1
    return returns, (returns.std(axis=0) * HORIZON_DAYS**0.5).tolist()


async def _opinions(event: Event, place: int, symbol: str, deviation: float, deps: OptimizerDeps) -> list[Opinion]:
    found = list[Opinion]()
    for agent in _AGENTS:
        view = await _latest(event, agent, symbol, deps)
        said = _read(view, symbol, event.time, deviation) if view is not None else None
        if view is not None and said is not None and said[2] > 0:
            found.append(Opinion(agent, place, *said, view.id))
    return found


async def _latest(event: Event, agent: str, symbol: str, deps: OptimizerDeps) -> Event | None:
    # The forecast at hand may not be projected yet.
    if isinstance(event, ForecastPublished) and event.source == agent and _of(event, symbol) is not None:
        return event
    body = await deps.views.latest(agent, symbol, event.time)
    return decode(body) if body else None


def _read(view: Event, symbol: str, now: datetime, deviation: float) -> tuple[float, bool, float] | None:
    """Expected return, whether that is an excess, and confidence; None where the view is too old."""
    match view:
        case AnalysisCompleted() if now - view.data.closed_at <= ANALYSIS_LASTS:
            return SKILL * view.data.view * deviation, True, view.data.confidence
        case SentimentScored() if now - view.time <= SENTIMENT_LASTS:
            return SKILL * view.data.score * deviation, True, view.data.confidence
        case ForecastPublished() if (forecast := _of(view, symbol)) and now - forecast.prices_as_of <= STALE_AFTER:
            known = min(1.0, forecast.model.observations / FORECAST_OBSERVATIONS)
            means = [each.mean for each in forecast.horizons if each.days == HORIZON_DAYS]
            return (means[0], False, FORECAST_CONFIDENCE * known) if means else None
    return None


def _of(event: ForecastPublished, symbol: str) -> Forecast | None:
    return next((each for each in event.data.forecasts if each.symbol == symbol), None)
