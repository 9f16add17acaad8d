"""Technical indicators of one symbol, folded bar by bar from a small state.

Owns the recursions and what they need to go on: fifty closes, twenty volumes, the candidates for the highest and lowest
price of a year and a dozen floats, since the state is committed as JSON with every bar. Nothing here looks at a
calendar: the caller feeds closed bars in order, each once, and starts again from `empty` after a gap or a correction.
Spans count bars; the two volatilities alone take a bar for a trading day.
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from math import fsum, sqrt, sumprod

from shared.errors import InvalidError
from shared.quant.extreme import Candidates, push_highest, push_lowest

WINDOW = 50
WILDER_SPAN = 14
FLOW_SPAN = 20
YEAR_SPAN = 252
DECAY = 0.94
SLOW_DECAY = 0.99
TRADING_DAYS_PER_YEAR = 252
LEAST_PRICE = 1e-9
MOST_PRICE = 1e12
MACD_FAST_SEEDED_FROM = 15


@dataclass(frozen=True, slots=True)
class IndicatorState:
    """All that the indicators remember of one symbol; finite, so it survives JSON unchanged.

    Attributes
    ----------
    count : int
        Bars folded so far.
    closes : tuple of float
        The last 50 closes, oldest first, USD.
    ema_12, ema_26, ema_200 : float
        Averages of the closes, USD; plain means until their span is full.
    macd_fast : float
        The 12-bar average inside MACD, USD; seeded later than `ema_12`, see `read`.
    macd_signal : float
        The 9-bar average of MACD, USD.
    gain, loss, true_range : float
        Wilder averages over 14 bars, USD, none negative.
    variance, slow_variance : float
        Exponentially weighted means of the squared returns per bar.
    high, low : float
        Of the last bar, USD.
    up_move, down_move : float
        Wilder averages of the directional movement over 14 bars, USD, none negative.
    direction : float
        Wilder average of the directional index over 14 bars, 0 to 100.
    volumes : tuple of float
        The last 20 volumes, shares.
    highs, lows : Candidates
        For the highest high and the lowest low of 252 bars, USD.
    """

    count: int
    closes: tuple[float, ...]
    ema_12: float
    ema_26: float
    ema_200: float
    macd_fast: float
    macd_signal: float
    gain: float
    loss: float
    true_range: float
    variance: float
    slow_variance: float
    high: float
    low: float
    up_move: float
    down_move: float
    direction: float
    volumes: tuple[float, ...]
    highs: Candidates
    lows: Candidates


def empty() -> IndicatorState:
    """Give the state before any bar."""
    return IndicatorState(
        count=0,
        closes=(),
        ema_12=0.0,
        ema_26=0.0,
        ema_200=0.0,
        macd_fast=0.0,
        macd_signal=0.0,
        gain=0.0,
        loss=0.0,
        true_range=0.0,
        variance=0.0,
        slow_variance=0.0,
        high=0.0,
        low=0.0,
        up_move=0.0,
        down_move=0.0,
        direction=0.0,
        volumes=(),
        highs=(),
        lows=(),
    )


def advance(state: IndicatorState, high: float, low: float, close: float, volume: float) -> IndicatorState:
    """Fold the next closed bar into the state.

    Parameters
    ----------
    high, low, close : float
        USD, adjusted for splits, between 1e-9 and 1e12 so that nothing that follows from them can overflow.
    volume : float
        Shares.

    Raises
    ------
    InvalidError
        A price is NaN, infinite or outside that range, not low <= close <= high, or the volume is NaN, infinite or
        negative. The state that was passed in stays good.
    """
    _check(high, low, close, volume)
    nth = state.count + 1
    before = state.closes[-1] if state.closes else close
    change = close - before
    square = (change / before) ** 2
    true_range = _wilder(state.true_range, max(high, before) - min(low, before), nth - 1)
    up_move, down_move = _moved(state, high, low, nth)
    ema_26 = _ema(state.ema_26, close, nth, 26)
    macd_fast = _ema(state.macd_fast, close, nth - MACD_FAST_SEEDED_FROM + 1, 12)
    return IndicatorState(
        count=nth,
        closes=(*state.closes[1 - WINDOW :], close),
        ema_12=_ema(state.ema_12, close, nth, 12),
        ema_26=ema_26,
        ema_200=_ema(state.ema_200, close, nth, 200),
        macd_fast=macd_fast,
        macd_signal=_ema(state.macd_signal, macd_fast - ema_26, nth - 25, 9),
        gain=_wilder(state.gain, max(change, 0.0), nth - 1),
        loss=_wilder(state.loss, max(-change, 0.0), nth - 1),
        true_range=true_range,
        variance=_riskmetrics(state.variance, square, nth - 1, DECAY),
        slow_variance=_riskmetrics(state.slow_variance, square, nth - 1, SLOW_DECAY),
        high=high,
        low=low,
        up_move=up_move,
        down_move=down_move,
        direction=_wilder(state.direction, _index(up_move, down_move), max(nth - WILDER_SPAN, 0)),
        volumes=(*state.volumes[1 - FLOW_SPAN :], volume),
        highs=push_highest(state.highs, nth, high, YEAR_SPAN),
        lows=push_lowest(state.lows, nth, low, YEAR_SPAN),
    )


def _check(high: float, low: float, close: float, volume: float) -> None:
    # A NaN fails every comparison, so it cannot pass.
    if not LEAST_PRICE <= low <= close <= high <= MOST_PRICE:
        raise InvalidError(f"not a bar: high {high}, low {low}, close {close}")
    if not 0 <= volume < float("inf"):
        raise InvalidError(f"not a volume: {volume}")


def _ema(average: float, value: float, nth: int, span: int) -> float:
    # Up to the span this is the plain mean of what came so far, which at the span is the seed that TA-Lib takes.
    if nth < 1:
        return 0.0
    return average + (value - average) * (1 / nth if nth <= span else 2 / (span + 1))


def _wilder(average: float, value: float, nth: int) -> float:
    return average + (value - average) / min(nth, WILDER_SPAN) if nth else 0.0


def _riskmetrics(variance: float, square: float, nth: int, decay: float) -> float:
    # The weights are divided by their sum, so a short history is a smaller sample and not one padded with zeros.
    return variance + (square - variance) * (1 - decay) / (1 - decay**nth) if nth else 0.0


def _moved(state: IndicatorState, high: float, low: float, nth: int) -> tuple[float, float]:
    up, down = (high - state.high, state.low - low) if nth > 1 else (0.0, 0.0)
    return (
        _wilder(state.up_move, up if up > max(down, 0.0) else 0.0, nth - 1),
        _wilder(state.down_move, down if down > max(up, 0.0) else 0.0, nth - 1),
    )


def _index(up_move: float, down_move: float) -> float:
    moved = up_move + down_move
    return min(100.0, 100 * abs(up_move - down_move) / moved) if moved else 0.0


def read(state: IndicatorState) -> dict[str, float]:
    """Give the indicators that have enough bars.

    Parameters
    ----------
    state : IndicatorState
        After any number of bars.

    Returns
    -------
    dict of str to float
        All finite; what is not warm yet is absent. In brackets the bars that it takes.

        - `sma_20` [20], `sma_50` [50]: means of the closes, USD.
        - `ema_12` [12], `ema_26` [26], `ema_200` [200]: exponential means, weight 2/(n+1), seeded with the mean of the
          first n closes, USD.
        - `rsi_14` [15]: Wilder's relative strength, 0 to 100.
        - `macd` [26], `macd_signal` [34], `macd_histogram` [34]: USD.
        - `atr_14` [15]: Wilder's average true range, USD.
        - `bollinger_upper`, `bollinger_lower` [20]: `sma_20` plus and minus two population standard deviations, USD.
        - `bollinger_percent_b` [20]: where the close lies between the bands, 0 at the lower, 1 at the upper; beyond
          them it passes 0 and 1.
        - `momentum_20` [21]: change of the close over 20 bars, a fraction.
        - `volatility_ewma` [21], `volatility_slow` [63]: standard deviation of simple returns around zero, decay 0.94
          and 0.99, a fraction per year of 252 bars: it assumes daily bars.
        - `adx_14` [28]: Wilder's average directional index, 0 to 100.
        - `volume_flow_20` [21]: change of the on-balance volume over 20 bars as a share of their volume, -1 to +1.
        - `high_252`, `low_252` [252]: highest high and lowest low of 252 bars, USD, a year where bars are days;
          `position_252` [252]: where the close lies between them, 0 to 1.

    Notes
    -----
    There is no NaN: `advance` lets none in, and where a series has no movement at all (0/0) the answer is the neutral
    middle, `rsi_14` = 50, `bollinger_percent_b` = 0.5, `position_252` = 0.5, `adx_14` = `volume_flow_20` = 0. TA-Lib
    answers an RSI of 0 there, which would read as oversold in the extreme.

    MACD is seeded as in TA-Lib: its fast average starts with the mean of closes 15 to 26, the first value that it
    needs, so `macd` is not `ema_12 - ema_26`; they differ by 11/13 less with each bar, after 100 bars by about 1e-9
    of the price. The signal starts with the mean of the first nine `macd` values. TA-Lib shows none of the three
    before bar 34.

    ADX begins with plain means where TA-Lib begins with sums over one bar less: they differ by 13/14 less with each
    bar. On-balance volume itself is left out, because its level only says where the history began.

    References
    ----------
    Wilder, New Concepts in Technical Trading Systems (1978): RSI, ATR, ADX. Granville, New Key to Stock Market Profits
    (1963): on-balance volume. Appel, Technical Analysis (2005): MACD.
    Bollinger, Bollinger on Bollinger Bands (2002). J.P. Morgan/Reuters, RiskMetrics Technical Document (1996), 5.2:
    volatility, there with log returns. TA-Lib 0.8 (ta_EMA.c, ta_MACD.c, ta_RSI.c, ta_ATR.c, ta_BBANDS.c): seeds.
    """
    readings: dict[str, float] = {}
    for bars, reading in _READINGS:
        if state.count >= bars:
            readings |= reading(state)
    return readings


def _mean_and_deviation(state: IndicatorState, span: int) -> tuple[float, float]:
    # Measured from the last close: exact for a constant series, and as that close is in the window, the subtraction of
    # squares loses at most a factor `span` of precision.
    last = state.closes[-1]
    distances = [close - last for close in state.closes[-span:]]
    mean = sum(distances) / span
    return last + mean, sqrt(max(sumprod(distances, distances) / span - mean * mean, 0.0))


def _bands(state: IndicatorState) -> dict[str, float]:
    mean, deviation = _mean_and_deviation(state, 20)
    width = 4 * deviation
    return {
        "sma_20": mean,
        "bollinger_upper": mean + 2 * deviation,
        "bollinger_lower": mean - 2 * deviation,
        "bollinger_percent_b": 0.5 + (state.closes[-1] - mean) / width if width else 0.5,
    }


def _wilders(state: IndicatorState) -> dict[str, float]:
    moved = state.gain + state.loss
    return {"rsi_14": 100 * (state.gain / moved) if moved else 50.0, "atr_14": state.true_range}


def _moves(state: IndicatorState) -> dict[str, float]:
    return {
        "momentum_20": state.closes[-1] / state.closes[-21] - 1,
        "volatility_ewma": sqrt(state.variance * TRADING_DAYS_PER_YEAR),
    }


def _signal(state: IndicatorState) -> dict[str, float]:
    macd = state.macd_fast - state.ema_26
    return {"macd_signal": state.macd_signal, "macd_histogram": macd - state.macd_signal}


def _flow(state: IndicatorState) -> dict[str, float]:
    moves = pairwise(state.closes[-1 - FLOW_SPAN :])
    flows = [volume * ((to > since) - (to < since)) for volume, (since, to) in zip(state.volumes, moves, strict=True)]
    traded = fsum(state.volumes)
    return {"volume_flow_20": max(-1.0, min(1.0, fsum(flows) / traded)) if traded else 0.0}


def _year(state: IndicatorState) -> dict[str, float]:
    high, low = state.highs[0][1], state.lows[0][1]
    position = (state.closes[-1] - low) / (high - low) if high > low else 0.5
    return {"high_252": high, "low_252": low, "position_252": position}


_READINGS: tuple[tuple[int, Callable[[IndicatorState], dict[str, float]]], ...] = (
    (12, lambda state: {"ema_12": state.ema_12}),
    (15, _wilders),
    (20, _bands),
    (21, _moves),
    (21, _flow),
    (26, lambda state: {"ema_26": state.ema_26, "macd": state.macd_fast - state.ema_26}),
    (28, lambda state: {"adx_14": min(100.0, state.direction)}),
    (34, _signal),
    (50, lambda state: {"sma_50": _mean_and_deviation(state, 50)[0]}),
    (63, lambda state: {"volatility_slow": sqrt(state.slow_variance * TRADING_DAYS_PER_YEAR)}),
    (200, lambda state: {"ema_200": state.ema_200}),
    (252, _year),
)
