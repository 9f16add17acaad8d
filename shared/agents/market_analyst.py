"""The market analyst: reads prices bar by bar, says when its view of a symbol changes, and votes on trades.

State per symbol is what the indicators need and the last bar. A bar that comes late, or corrects an earlier one, makes
it fold that symbol's history anew.
"""

import math
from dataclasses import dataclass
from typing import Literal

from pydantic import BaseModel, ConfigDict

from shared.agents.decision import Decision
from shared.agents.opinion import Judgment
from shared.agents.own_state import OwnState
from shared.errors import MissingError, TransientError
from shared.events.emit import Emit
from shared.events.market import Analysis, AnalysisCompleted, Bar, Interval, MarketDataReceived
from shared.events.trade import Evidence, TradeRequested
from shared.projections.bar import STALE_AFTER, BarHistory
from shared.quant import indicator
from shared.quant.indicator import IndicatorState
from shared.watchlist import Watchlist

NAME = "market_analyst"
HISTORY_BARS = 1_000
VIEW_STEP = 0.25
TREND_BAND = 0.2
_NEEDED = ("sma_50", "ema_12", "ema_26", "rsi_14", "atr_14", "momentum_20", "volatility_ewma")
_UNITS = {
    "rsi_14": "0 to 100",
    "momentum_20": "fraction in 20 bars",
    "volatility_ewma": "fraction per year",
    "bollinger_percent_b": "share of the band",
}


class SymbolState(BaseModel):
    """What is known of one symbol."""

    model_config = ConfigDict(frozen=True)

    indicators: IndicatorState
    last: Bar
    event: str | None = None
    view: float | None = None
    parts: dict[str, float] = {}


class AnalystState(BaseModel):
    """What is known of the symbols of one market stream."""

    model_config = ConfigDict(frozen=True)

    interval: Interval | None = None
    symbols: dict[str, SymbolState] = {}


@dataclass(frozen=True, slots=True)
class AnalystDeps:
    """What the market analyst may read."""

    bars: BarHistory
    own: OwnState[AnalystState]
    watchlist: Watchlist


async def on_market_data_received(
    event: MarketDataReceived, state: AnalystState, deps: AnalystDeps
) -> Decision[AnalystState]:
    """Fold the bars, and emit an analysis for each symbol whose view changed."""
    # Bars of another length are another history: that of this length is read anew.
    symbols = dict(state.symbols) if state.interval == event.data.interval else {}
    emits = list[Emit]()
    for ordinal, bar in enumerate(event.data.bars):
        before = symbols.get(bar.symbol)
        current = await _fold(event, bar, before, deps)
        if current is before:
            continue
        analysis = _analysis(current)
        if analysis is not None and _has_news(before, analysis):
            current = current.model_copy(update={"view": analysis.view, "parts": _parts(_readings(current), current)})
            # A late bar is older than what is known by now, and so than the analysis.
            time = max(event.time, analysis.closed_at)
            completed = AnalysisCompleted.caused_by(event, source=NAME, data=analysis, ordinal=ordinal, time=time)
            emits.append(Emit(completed))
        symbols[bar.symbol] = current
    return Decision(AnalystState(interval=event.data.interval, symbols=symbols), tuple(emits))


async def judge_trade(event: TradeRequested, deps: AnalystDeps) -> Judgment:
    """Support a trade that goes with the view of its symbol, as it was at the trade's time.

    Raises
    ------
    MissingError
        The symbol's prices are too few, or too old to say anything about now.
    """
    known = await _as_of(event, deps)
    analysis = _analysis(known)
    if analysis is None:
        raise MissingError(f"only {known.indicators.count} bars of {event.data.symbol} are known, 50 are needed")
    if analysis.indicators["volatility_ewma"] == 0:
        raise MissingError(f"the price of {event.data.symbol} has not moved")
    stance = analysis.view if event.data.side == "buy" else -analysis.view
    return Judgment(
        stance=stance,
        confidence=analysis.confidence,
        rationale=f"{analysis.symbol} closed at {analysis.close:.2f} USD on {analysis.closed_at:%Y-%m-%d},"
        f" trend {analysis.trend}, view {analysis.view:+.2f}.",
        evidence=(
            Evidence(name="close", value=analysis.close, unit="USD", event=known.event),
            *(
                Evidence(name=name, value=analysis.indicators[name], unit=_UNITS.get(name, "USD"), event=known.event)
                for name in _NEEDED
            ),
        ),
    )


async def _as_of(event: TradeRequested, deps: AnalystDeps) -> SymbolState:
    """What was known of the trade's symbol at its time: the snapshot, unless that is behind or already ahead."""
    symbol = event.data.symbol
    latest = await deps.bars.read(symbol, event.time, limit=1)
    if not latest or event.time - latest[0].closed_at > STALE_AFTER:
        since = f"since {latest[0].closed_at:%Y-%m-%d}" if latest else "at all"
        raise MissingError(f"no price of {symbol} is known {since}")
    own = (await deps.own.read(deps.watchlist.stream_of(symbol))).symbols.get(symbol)
    if own is not None and own.last == latest[0]:
        return own
    history = await deps.bars.read(symbol, event.time, limit=HISTORY_BARS)
    return SymbolState(indicators=_folded(history), last=history[-1])


async def _fold(event: MarketDataReceived, bar: Bar, before: SymbolState | None, deps: AnalystDeps) -> SymbolState:
    if before is not None and bar == before.last:
        return before
    if before is not None and bar.closed_at > before.last.closed_at:
        state = indicator.advance(before.indicators, bar.high, bar.low, bar.close, bar.volume)
        return before.model_copy(update={"indicators": state, "last": bar, "event": event.id})
    return await _rebuild(event, bar, before, deps)


async def _rebuild(event: MarketDataReceived, bar: Bar, before: SymbolState | None, deps: AnalystDeps) -> SymbolState:
    # The projection may not have this event's bar yet, and may already have later ones.
    end = bar if before is None or bar.closed_at > before.last.closed_at else before.last
    as_of = max(event.time, end.closed_at)
    known = {past.closed_at: past for past in await deps.bars.read(bar.symbol, as_of, limit=HISTORY_BARS)}
    known |= {end.closed_at: end, bar.closed_at: bar}
    history = [known[moment] for moment in sorted(known) if moment <= end.closed_at]
    if before is not None and len(history) < min(before.indicators.count, HISTORY_BARS):
        raise TransientError(f"the bars of {bar.symbol} are not projected yet")
    kept = (before.view, before.parts) if before else (None, {})
    return SymbolState(indicators=_folded(history), last=history[-1], event=event.id, view=kept[0], parts=kept[1])


def _folded(history: list[Bar]) -> IndicatorState:
    state = indicator.empty()
    for bar in history:
        state = indicator.advance(state, bar.high, bar.low, bar.close, bar.volume)
    return state


def _readings(state: SymbolState) -> dict[str, float]:
    return indicator.read(state.indicators)


def _parts(readings: dict[str, float], state: SymbolState) -> dict[str, float]:
    atr = max(readings["atr_14"], 1e-9 * state.last.close)
    daily_volatility = max(readings["volatility_ewma"] / math.sqrt(indicator.TRADING_DAYS_PER_YEAR), 1e-9)
    return {
        "trend": math.tanh((readings["ema_12"] - readings["ema_26"]) / atr),
        "level": math.tanh((state.last.close - readings["sma_50"]) / (3 * atr)),
        "momentum_20": math.tanh(readings["momentum_20"] / (daily_volatility * math.sqrt(20))),
        "rsi_14": (readings["rsi_14"] - 50) / 50,
    }


def _analysis(state: SymbolState) -> Analysis | None:
    readings = _readings(state)
    if any(name not in readings for name in _NEEDED):
        return None
    parts = _parts(readings, state)
    view = sum(parts.values()) / len(parts)
    spread = max(parts.values()) - min(parts.values())
    return Analysis(
        symbol=state.last.symbol,
        closed_at=state.last.closed_at,
        close=state.last.close,
        trend=_trend(view),
        view=view,
        confidence=max(0.0, 1 - spread / 2),
        indicators=readings,
        moved_by=tuple(name for name, part in parts.items() if abs(part - state.parts.get(name, 0.0)) >= VIEW_STEP),
    )


def _trend(view: float) -> Literal["up", "down", "sideways"]:
    if abs(view) < TREND_BAND:
        return "sideways"
    return "up" if view > 0 else "down"


def _has_news(before: SymbolState | None, analysis: Analysis) -> bool:
    if before is None or before.view is None:
        return True
    return _trend(before.view) != analysis.trend or abs(before.view - analysis.view) >= VIEW_STEP
