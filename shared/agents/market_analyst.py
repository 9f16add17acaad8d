"""The market analyst: reads prices bar by bar, says when its view of a symbol changes, and votes on trades.

It also runs the detectors of `shared/detection` over every bar, and tells of what they find. State per symbol is what
the indicators and detectors need and the last bar. A bar that comes late, or corrects an earlier one, makes it fold
that symbol's history anew.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, field_validator

from shared.agents.decision import Decision
from shared.agents.opinion import Judgment
from shared.agents.own_state import OwnState
from shared.agents.recollection import recollected
from shared.detection import catalogue
from shared.detection.catalogue import Finding
from shared.detection.detector import Memory, Seen
from shared.errors import MissingError, TransientError
from shared.events.emit import Emit
from shared.events.envelope import Event
from shared.events.market import Alarm, Analysis, AnalysisCompleted, Bar, Interval, MarketDataReceived, Regime
from shared.events.trade import Evidence, TradeRequested
from shared.memory.port import OwnMemory
from shared.projections.bar import STALE_AFTER, BarHistory
from shared.quant import indicator
from shared.quant.indicator import IndicatorState
from shared.quant.regime import regime_of
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
    regime: Regime | None = None
    memories: dict[str, Memory] = {}


class AnalystState(BaseModel):
    """What is known of the symbols of one market stream."""

    model_config = ConfigDict(frozen=True)

    interval: Interval | None = None
    symbols: dict[str, SymbolState] = {}

    @field_validator("symbols", mode="before")
    @classmethod
    def _leave_what_lacks_indicators(cls, symbols: dict[str, Any]) -> dict[str, Any]:
        # A snapshot of an earlier version knows fewer indicators: its symbols are folded anew from their history.
        return {name: known for name, known in symbols.items() if _is_whole(known)}


def _is_whole(known: Any) -> bool:
    return (
        isinstance(known, SymbolState) or {each.name for each in fields(IndicatorState)} <= known["indicators"].keys()
    )


@dataclass(frozen=True, slots=True)
class AnalystDeps:
    """What the market analyst may read."""

    bars: BarHistory
    own: OwnState[AnalystState]
    watchlist: Watchlist
    memory: OwnMemory | None = None


@dataclass(frozen=True, slots=True)
class _Folded:
    """A symbol after a bar; `seen` and `found` are empty where the bar says nothing of now."""

    state: SymbolState
    seen: Seen | None = None
    found: Sequence[Finding] = ()


async def on_market_data_received(
    event: MarketDataReceived, state: AnalystState, deps: AnalystDeps
) -> Decision[AnalystState]:
    """Fold the bars, and emit an analysis for each symbol whose view changed, and what the detectors found."""
    # Bars of another length are another history: that of this length is read anew.
    symbols = dict(state.symbols) if state.interval == event.data.interval else {}
    emits, found, seen = list[Emit](), list[Finding](), list[Seen]()
    for ordinal, bar in enumerate(event.data.bars):
        before = symbols.get(bar.symbol)
        folded = await _fold(event, bar, before, deps)
        current = folded.state
        if current is before:
            continue
        reading = _read(current)
        if reading is not None and _has_news(before, reading):
            emits.append(_emit(event, AnalysisCompleted, _analysis(current, reading), ordinal))
            said = {"view": reading.view, "parts": reading.parts, "regime": reading.regime}
            current = current.model_copy(update=said)
        symbols[bar.symbol] = current
        found += folded.found
        seen += [folded.seen] if folded.seen is not None else []
    found += catalogue.compare(seen)
    emits += [_emit(event, kind, fact, ordinal) for ordinal, (kind, fact) in enumerate(found)]
    return Decision(AnalystState(interval=event.data.interval, symbols=symbols), tuple(emits))


def _emit(event: MarketDataReceived, kind: type[Event], data: Analysis | Alarm, ordinal: int) -> Emit:
    # A late bar is older than what is known by now, and so than what follows from it.
    time = max(event.time, data.closed_at)
    return Emit(kind.caused_by(event, source=NAME, data=data, ordinal=ordinal, time=time))


async def judge_trade(event: TradeRequested, deps: AnalystDeps) -> Judgment:
    """Support a trade that goes with the view of its symbol, as it was at the trade's time.

    Raises
    ------
    MissingError
        The symbol's prices are too few, or too old to say anything about now.
    """
    known = await _as_of(event, deps)
    reading = _read(known)
    if reading is None:
        raise MissingError(f"only {known.indicators.count} bars of {event.data.symbol} are known, 50 are needed")
    if reading.indicators["volatility_ewma"] == 0:
        raise MissingError(f"the price of {event.data.symbol} has not moved")
    analysis = _analysis(known, reading)
    stance = analysis.view if event.data.side == "buy" else -analysis.view
    judgment = Judgment(
        stance=stance,
        confidence=analysis.confidence,
        rationale=f"{analysis.symbol} closed at {analysis.close:.2f} USD on {analysis.closed_at:%Y-%m-%d},"
        f" trend {analysis.trend}, view {analysis.view:+.2f}{_in_words(analysis.regime)}.",
        evidence=(
            Evidence(name="close", value=analysis.close, unit="USD", event=known.event),
            *(
                Evidence(name=name, value=analysis.indicators[name], unit=_UNITS.get(name, "USD"), event=known.event)
                for name in _NEEDED
            ),
            *((Evidence(name="regime", value=analysis.regime, event=known.event),) if analysis.regime else ()),
        ),
    )
    return await recollected(event, judgment, deps.memory)


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


async def _fold(event: MarketDataReceived, bar: Bar, before: SymbolState | None, deps: AnalystDeps) -> _Folded:
    # Of another moment it is another bar: to compare all of both takes a twentieth of the whole fold.
    if before is not None and bar.closed_at == before.last.closed_at and bar == before.last:
        return _Folded(before)
    if before is None or bar.closed_at <= before.last.closed_at:
        return await _rebuild(event, bar, before, deps)
    state = indicator.advance(before.indicators, bar.high, bar.low, bar.close, bar.volume)
    seen = Seen(bar, event.data.interval, before.indicators, state)
    memories, found = catalogue.follow(before.memories, seen)
    changed = {"indicators": state, "last": bar, "event": event.id, "memories": memories}
    return _Folded(before.model_copy(update=changed), seen, found)


async def _rebuild(event: MarketDataReceived, bar: Bar, before: SymbolState | None, deps: AnalystDeps) -> _Folded:
    # The projection may not have this event's bar yet, and may already have later ones.
    end = bar if before is None or bar.closed_at > before.last.closed_at else before.last
    as_of = max(event.time, end.closed_at)
    known = {past.closed_at: past for past in await deps.bars.read(bar.symbol, as_of, limit=HISTORY_BARS)}
    known |= {end.closed_at: end, bar.closed_at: bar}
    history = [known[moment] for moment in sorted(known) if moment <= end.closed_at]
    if before is not None and len(history) < min(before.indicators.count, HISTORY_BARS):
        raise TransientError(f"the bars of {bar.symbol} are not projected yet")
    kept = {"view": before.view, "parts": before.parts, "regime": before.regime} if before else {}
    anew = _watched(history, event.data.interval)
    state = anew.state.model_copy(update={"event": event.id, **kept})
    return _Folded(state, anew.seen, anew.found) if history[-1] == bar else _Folded(state)


def _watched(history: list[Bar], interval: Interval) -> _Folded:
    """Fold a history as if it came bar by bar: what is found in its last bar is news."""
    state, memories = indicator.empty(), catalogue.NOTHING
    seen, found = None, list[Finding]()
    for bar in history:
        after = indicator.advance(state, bar.high, bar.low, bar.close, bar.volume)
        seen = Seen(bar, interval, state, after)
        memories, found = catalogue.follow(memories, seen)
        state = after
    return _Folded(SymbolState(indicators=state, last=history[-1], memories=dict(memories)), seen, found)


def _folded(history: list[Bar]) -> IndicatorState:
    state = indicator.empty()
    for bar in history:
        state = indicator.advance(state, bar.high, bar.low, bar.close, bar.volume)
    return state


@dataclass(frozen=True, slots=True)
class _Reading:
    """What the indicators say of a symbol: the view is the mean of its parts, each from -1 to +1."""

    indicators: dict[str, float]
    parts: dict[str, float]
    view: float
    regime: Regime | None


def _read(state: SymbolState) -> _Reading | None:
    readings = indicator.read(state.indicators)
    if any(name not in readings for name in _NEEDED):
        return None
    parts = _parts(readings, state)
    return _Reading(readings, parts, sum(parts.values()) / len(parts), _regime(readings, state))


def _parts(readings: dict[str, float], state: SymbolState) -> dict[str, float]:
    atr = max(readings["atr_14"], 1e-9 * state.last.close)
    daily_volatility = max(readings["volatility_ewma"] / math.sqrt(indicator.TRADING_DAYS_PER_YEAR), 1e-9)
    return {
        "trend": math.tanh((readings["ema_12"] - readings["ema_26"]) / atr),
        "level": math.tanh((state.last.close - readings["sma_50"]) / (3 * atr)),
        "momentum_20": math.tanh(readings["momentum_20"] / (daily_volatility * math.sqrt(20))),
        "rsi_14": (readings["rsi_14"] - 50) / 50,
    }


def _regime(readings: dict[str, float], state: SymbolState) -> Regime | None:
    if "volatility_slow" not in readings:
        return None
    return regime_of(readings["adx_14"], readings["volatility_ewma"], readings["volatility_slow"], state.regime)


def _analysis(state: SymbolState, reading: _Reading) -> Analysis:
    parts = reading.parts
    moved = [name for name, part in parts.items() if abs(part - state.parts.get(name, 0.0)) >= VIEW_STEP]
    return Analysis(
        symbol=state.last.symbol,
        closed_at=state.last.closed_at,
        close=state.last.close,
        trend=_trend(reading.view),
        view=reading.view,
        confidence=max(0.0, 1 - (max(parts.values()) - min(parts.values())) / 2),
        regime=reading.regime,
        indicators=reading.indicators,
        moved_by=(*moved, *(("regime",) if reading.regime != state.regime else ())),
    )


def _in_words(regime: Regime | None) -> str:
    return f", {regime.replace('_', ' ')} regime" if regime else ""


def _trend(view: float) -> Literal["up", "down", "sideways"]:
    if abs(view) < TREND_BAND:
        return "sideways"
    return "up" if view > 0 else "down"


def _has_news(before: SymbolState | None, reading: _Reading) -> bool:
    if before is None or before.view is None or before.regime != reading.regime:
        return True
    return _trend(before.view) != _trend(reading.view) or abs(before.view - reading.view) >= VIEW_STEP
