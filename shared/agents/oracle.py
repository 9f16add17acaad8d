"""The oracle: forecasts the distribution of each symbol's return when a market day closes, and votes by it.

State per symbol is its daily closes. Forecasts are made once a day for all symbols of a shard, in one event; a vote
reads the one that was known at the trade's time.
"""

import hashlib
import math
from dataclasses import dataclass
from datetime import datetime, time
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict

from shared.agents.decision import Decision
from shared.agents.opinion import Judgment
from shared.agents.recollection import recollected
from shared.errors import MissingError, TransientError
from shared.events.catalogue import decode
from shared.events.emit import Emit
from shared.events.forecast import Forecast, ForecastModel, ForecastPublished, Forecasts, HorizonForecast
from shared.events.market import Bar, Interval, MarketDataReceived
from shared.events.trade import Evidence, TradeRequested
from shared.memory.port import OwnMemory
from shared.projections.bar import STALE_AFTER, BarHistory
from shared.projections.view import Views

if TYPE_CHECKING:
    from shared.quant.forecast import Filtered, Floats

NAME = "oracle"
CLOSES_KEPT = 751
HORIZONS_DAYS = (1, 5, 21)
LEVELS = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)
_LEVEL_NAMES = tuple(map(str, LEVELS))
JUDGED_DAYS = 21
MOST_CONFIDENCE = 0.3
_TRADING_DAYS_PER_YEAR = 252
_NEW_YORK_CLOSE = time(16)


class SymbolDays(BaseModel):
    """A symbol's daily closes, oldest first, and when the last of these days closed."""

    model_config = ConfigDict(frozen=True)

    closes: tuple[float, ...]
    closed_at: datetime


class OracleState(BaseModel):
    """What is known of the symbols of one market stream."""

    model_config = ConfigDict(frozen=True)

    symbols: dict[str, SymbolDays] = {}


@dataclass(frozen=True, slots=True)
class OracleDeps:
    """What the oracle may read."""

    bars: BarHistory
    views: Views
    memory: OwnMemory | None = None


async def on_market_data_received(
    event: MarketDataReceived, state: OracleState, deps: OracleDeps
) -> Decision[OracleState]:
    """Fold the closes of a market day, and emit the forecasts of all symbols that they are enough for.

    Bars of a part of a day count only where they end with the day, at 16:00 in New York.
    """
    symbols, moved = dict(state.symbols), list[str]()
    for bar in event.data.bars:
        if not _ends_day(bar, event.data.interval):
            continue
        known = await _fold(event, bar, symbols.get(bar.symbol), deps)
        if known is not symbols.get(bar.symbol):
            symbols[bar.symbol] = known
            moved.append(bar.symbol)
    if not moved:
        return Decision()
    return Decision(OracleState(symbols=symbols), _publish(event, {symbol: symbols[symbol] for symbol in moved}))


async def judge_trade(event: TradeRequested, deps: OracleDeps) -> Judgment:
    """Support a trade that goes with the forecast of the next 21 trading days.

    Raises
    ------
    MissingError
        No forecast is known at the trade's time, or it was made from prices that are too old.

    Notes
    -----
    With mean m and deviation s of the return and probability of loss p, the stance of a purchase is the mean of
    ``tanh(m / s * sqrt(252 / 21))``, of the ratio per year, and ``1 - 2 p``; that of a sale is its opposite. A drift is
    hard to know, so the confidence is at most 0.3, and less with less history.
    """
    published = await _forecast_as_of(event, deps)
    forecast = published.data.forecasts[0]
    judged = next(each for each in forecast.horizons if each.days == JUDGED_DAYS)
    ratio = judged.mean / judged.deviation * math.sqrt(_TRADING_DAYS_PER_YEAR / JUDGED_DAYS)
    support = (math.tanh(ratio) + 1 - 2 * judged.probability_of_loss) / 2
    judgment = Judgment(
        stance=support if event.data.side == "buy" else -support,
        confidence=MOST_CONFIDENCE * min(1.0, forecast.model.observations / (CLOSES_KEPT - 1)),
        rationale=f"Over {JUDGED_DAYS} trading days {forecast.symbol} is expected to return {judged.mean:+.1%},"
        f" within {judged.quantiles['0.05']:+.1%} and {judged.quantiles['0.95']:+.1%} with 90 %;"
        f" the probability of a loss is {judged.probability_of_loss:.0%}.",
        evidence=_evidence(published, forecast, judged, ratio),
    )
    return await recollected(event, judgment, deps.memory)


async def _forecast_as_of(event: TradeRequested, deps: OracleDeps) -> ForecastPublished:
    symbol = event.data.symbol
    body = await deps.views.latest(NAME, symbol, event.time)
    if body is None:
        raise MissingError(f"no forecast of {symbol} is known: it takes {_least_closes()} daily closes")
    published = decode(body, ForecastPublished.name())
    assert isinstance(published, ForecastPublished)
    prices_as_of = published.data.forecasts[0].prices_as_of
    if event.time - prices_as_of > STALE_AFTER:
        raise MissingError(f"no price of {symbol} is known since {prices_as_of:%Y-%m-%d}")
    return published


def _least_closes() -> int:
    from shared.quant import forecast

    return forecast.LEAST_RETURNS + 1


def _evidence(
    published: ForecastPublished, forecast: Forecast, judged: HorizonForecast, ratio: float
) -> tuple[Evidence, ...]:
    unit = f"fraction in {judged.days} days"
    return (
        Evidence(name="close", value=forecast.close, unit="USD", event=forecast.evidence[-1]),
        Evidence(name="expected_return", value=judged.mean, unit=unit, event=published.id),
        Evidence(name="probability_of_loss", value=judged.probability_of_loss, unit="probability", event=published.id),
        Evidence(name="ratio_annualised", value=ratio, unit="mean by deviation", event=published.id),
        Evidence(name="expected_shortfall_95", value=judged.expected_shortfall_95, unit=unit, event=published.id),
    )


def _ends_day(bar: Bar, interval: Interval) -> bool:
    return interval == "1Day" or bar.closed_at.astimezone(ZoneInfo("America/New_York")).time() == _NEW_YORK_CLOSE


async def _fold(event: MarketDataReceived, bar: Bar, before: SymbolDays | None, deps: OracleDeps) -> SymbolDays:
    if before is not None and bar.closed_at > before.closed_at:
        closes = (*before.closes, bar.close)[-CLOSES_KEPT:]
        return before.model_copy(update={"closes": closes, "closed_at": bar.closed_at})
    if before is not None and bar.closed_at == before.closed_at:
        is_known = bar.close == before.closes[-1]
        return before if is_known else before.model_copy(update={"closes": (*before.closes[:-1], bar.close)})
    if event.data.interval != "1Day":
        # Of parts of days three years are too many to be read for one late price.
        return before or SymbolDays(closes=(bar.close,), closed_at=bar.closed_at)
    return await _rebuild(event, bar, before, deps)


async def _rebuild(event: MarketDataReceived, bar: Bar, before: SymbolDays | None, deps: OracleDeps) -> SymbolDays:
    # The projection may not have this event's bar yet, and may already have later ones.
    end = before.closed_at if before is not None else bar.closed_at
    known = await deps.bars.closes(bar.symbol, max(event.time, end), limit=CLOSES_KEPT)
    days = dict(zip(known.moments, known.prices.tolist(), strict=True)) | {bar.closed_at: bar.close}
    if before is not None:
        days[end] = before.closes[-1]
    moments = [moment for moment in sorted(days) if moment <= end][-CLOSES_KEPT:]
    if before is not None and len(moments) < len(before.closes):
        raise TransientError(f"the bars of {bar.symbol} are not projected yet")
    return SymbolDays(closes=tuple(days[moment] for moment in moments), closed_at=end)


def _publish(event: MarketDataReceived, moved: dict[str, SymbolDays]) -> tuple[Emit, ...]:
    from shared.quant import forecast  # a function that only votes need not load it

    filtered = {symbol: known for symbol, days in moved.items() if (known := _filtered(days)) is not None}
    if not filtered:
        return ()
    seeds = [_seed(event.id, symbol) for symbol in filtered]
    horizons = _horizons(forecast.simulate(list(filtered.values()), HORIZONS_DAYS, seeds))
    forecasts = tuple(
        _forecast(event, symbol, moved[symbol], known, ahead)
        for (symbol, known), ahead in zip(filtered.items(), horizons, strict=True)
    )
    # A late bar is older than what is known by now, and so than the forecast.
    time = max(event.time, *(forecast.prices_as_of for forecast in forecasts))
    data = Forecasts(forecasts=forecasts)
    return (Emit(ForecastPublished.caused_by(event, source=NAME, data=data, time=time)),)


def _filtered(days: SymbolDays) -> "Filtered | None":
    import numpy as np

    from shared.quant import forecast

    if len(days.closes) <= forecast.LEAST_RETURNS:
        return None
    try:
        return forecast.filter_returns(forecast.log_returns(np.array(days.closes)))
    except MissingError:
        return None


def _forecast(
    event: MarketDataReceived,
    symbol: str,
    days: SymbolDays,
    filtered: "Filtered",
    horizons: tuple[HorizonForecast, ...],
) -> Forecast:
    from shared.quant import draw, forecast

    return Forecast(
        symbol=symbol,
        prices_as_of=days.closed_at,
        close=days.closes[-1],
        horizons=horizons,
        model=ForecastModel(
            alpha=forecast.ALPHA,
            beta=forecast.BETA,
            drift=filtered.drift,
            volatility=math.sqrt(filtered.next_variance),
            long_run_volatility=math.sqrt(filtered.long_run_variance),
            observations=len(filtered.residuals),
            paths=draw.FUTURES,
        ),
        evidence=(event.id,),
    )


def _horizons(samples: "Floats") -> list[tuple[HorizonForecast, ...]]:
    """Give the horizons of each symbol, from samples of shape (n_symbols, n_horizons, n_paths)."""
    from shared.quant import forecast

    figures = zip(
        samples.mean(axis=-1).tolist(),
        samples.std(axis=-1).tolist(),
        (samples < 0).mean(axis=-1).tolist(),
        forecast.quantiles(samples, LEVELS).tolist(),
        forecast.expected_shortfall(samples, 0.95).tolist(),
        strict=True,
    )
    return [
        tuple(
            HorizonForecast(
                days=days,
                mean=mean,
                deviation=deviation,
                quantiles=dict(zip(_LEVEL_NAMES, quantiles, strict=True)),
                probability_of_loss=loss,
                expected_shortfall_95=shortfall,
            )
            for days, mean, deviation, loss, quantiles, shortfall in zip(HORIZONS_DAYS, *of_symbol, strict=True)
        )
        for of_symbol in figures
    ]


def _seed(event_id: str, symbol: str) -> int:
    return int.from_bytes(hashlib.sha256(f"{event_id}\x1f{symbol}".encode()).digest()[:16])
