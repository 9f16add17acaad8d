"""The indicators against TA-Lib and talipp on real prices, their laws, and their state across a JSON round trip.

Also the half-life weight, the other exponential of `shared.quant`.
"""

import json
from functools import cache, reduce

import numpy as np
import pytest
import talib
from bokeh_sampledata.stocks import AAPL
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from pydantic import TypeAdapter
from talipp import indicators as talipp
from talipp.ohlcv import OHLCV

from shared.errors import InvalidError
from shared.quant.decay import decayed
from shared.quant.extreme import Candidates, push_highest, push_lowest
from shared.quant.indicator import IndicatorState, advance, empty, read
from shared.quant.risk import ewma_volatility, returns_from_closes

type Bar = tuple[float, float, float, float]

WARM_AFTER = {
    "ema_12": 12,
    "rsi_14": 15,
    "atr_14": 15,
    "sma_20": 20,
    "bollinger_upper": 20,
    "bollinger_lower": 20,
    "bollinger_percent_b": 20,
    "momentum_20": 21,
    "volatility_ewma": 21,
    "ema_26": 26,
    "macd": 26,
    "macd_signal": 34,
    "macd_histogram": 34,
    "volume_flow_20": 21,
    "adx_14": 28,
    "sma_50": 50,
    "volatility_slow": 63,
    "ema_200": 200,
    "high_252": 252,
    "low_252": 252,
    "position_252": 252,
}
NOT_IN_TALIB = {"bollinger_percent_b", "volatility_ewma", "volatility_slow", "position_252", "volume_flow_20", "adx_14"}
"""By that name or with that seed."""
STATE = TypeAdapter(IndicatorState)
FACTORS = st.floats(0.9, 1.1)
SPREADS = st.floats(0.0, 0.05)


def bars_from(moves: list[tuple[float, float, float]], start: float = 100.0) -> list[Bar]:
    closes = np.cumprod([start, *(factor for factor, _, _ in moves)])[1:].tolist()
    return [
        (close * (1 + up), close * (1 - down), close, 1_000.0)
        for close, (_, up, down) in zip(closes, moves, strict=True)
    ]


def flat(close: float, count: int) -> list[Bar]:
    return [(close, close, close, 0.0)] * count


def folded(bars: list[Bar], state: IndicatorState | None = None) -> IndicatorState:
    return reduce(lambda before, bar: advance(before, *bar), bars, state or empty())


def walks(least: int) -> st.SearchStrategy[list[Bar]]:
    return st.lists(st.tuples(FACTORS, SPREADS, SPREADS), min_size=least, max_size=least + 60).map(bars_from)


@cache
def apple() -> NDArray[np.float64]:
    """AAPL 2000-2013, daily: high, low, close (adjusted) and volume in columns."""
    factor = np.array(AAPL["adj_close"]) / np.array(AAPL["close"])
    prices = [np.array(AAPL[name]) * factor for name in ("high", "low", "close")]
    return np.column_stack([*prices, np.array(AAPL["volume"])])


@cache
def apple_readings() -> list[dict[str, float]]:
    state, readings = empty(), []
    for high, low, close, volume in apple().tolist():
        state = advance(state, high, low, close, volume)
        readings.append(read(state))
    return readings


def column(name: str) -> NDArray[np.float64]:
    return np.array([reading.get(name, np.nan) for reading in apple_readings()])


def by_talib(name: str) -> NDArray[np.float64]:
    high, low, close, _ = apple().T.copy()
    upper, _, lower = talib.BBANDS(close, 20, 2, 2)
    macd, signal, histogram = talib.MACD(close, 12, 26, 9)
    answers = {
        "sma_20": talib.SMA(close, 20),
        "sma_50": talib.SMA(close, 50),
        "ema_12": talib.EMA(close, 12),
        "ema_26": talib.EMA(close, 26),
        "ema_200": talib.EMA(close, 200),
        "rsi_14": talib.RSI(close, 14),
        "atr_14": talib.ATR(high, low, close, 14),
        "macd": macd,
        "macd_signal": signal,
        "macd_histogram": histogram,
        "bollinger_upper": upper,
        "bollinger_lower": lower,
        "momentum_20": talib.ROCP(close, 20),
        "high_252": talib.MAX(high, 252),
        "low_252": talib.MIN(low, 252),
    }
    return np.asarray(answers[name])


@pytest.mark.parametrize("name", sorted(WARM_AFTER.keys() - NOT_IN_TALIB))
def test_reading_when_warm_equals_talib(name: str) -> None:
    theirs = by_talib(name)
    warm = ~np.isnan(theirs)
    assert warm.sum() > 3_000
    np.testing.assert_allclose(column(name)[warm], theirs[warm], rtol=1e-9)


@pytest.mark.parametrize(
    ("name", "oracle", "part", "seeded"),
    [
        ("sma_50", talipp.SMA(50), None, 50),
        ("ema_200", talipp.EMA(200), None, 200),
        ("rsi_14", talipp.RSI(14), None, 15),
        ("bollinger_upper", talipp.BB(20, 2), "ub", 20),
        ("bollinger_lower", talipp.BB(20, 2), "lb", 20),
        # Seeded elsewhere than in TA-Lib, so these agree once that has faded.
        ("atr_14", talipp.ATR(14), None, 400),
        ("macd", talipp.MACD(12, 26, 9), "macd", 400),
        ("macd_signal", talipp.MACD(12, 26, 9), "signal", 400),
    ],
)
def test_reading_when_warm_equals_talipp(name: str, oracle: talipp.Indicator, part: str | None, seeded: int) -> None:
    for high, low, close, volume in apple().tolist():
        oracle.add(OHLCV(close, high, low, close, volume) if name == "atr_14" else close)
    theirs = [getattr(value, part) if part else value for value in oracle[seeded - 1 :]]
    np.testing.assert_allclose(column(name)[seeded - 1 :], theirs, rtol=1e-9)


def test_adx_when_its_seed_has_faded_equals_talib() -> None:
    high, low, close, _ = apple().T.copy()
    np.testing.assert_allclose(column("adx_14")[600:], talib.ADX(high, low, close, 14)[600:], rtol=1e-9)


def test_adx_when_first_read_is_the_mean_of_fourteen_directional_indices() -> None:
    bars = [*flat(100.0, 14), *((100.0 + n, 99.0 + n, 100.0 + n, 1.0) for n in range(1, 15))]
    assert read(folded(bars))["adx_14"] == pytest.approx(100.0)


def test_volume_flow_when_warm_is_the_move_of_talibs_balance_volume() -> None:
    _, _, close, volume = apple().T.copy()
    balance, traded = talib.OBV(close, volume), talib.SUM(volume, 20)
    theirs = (balance[20:] - balance[:-20]) / traded[20:]
    np.testing.assert_allclose(column("volume_flow_20")[20:], theirs, rtol=1e-9, atol=1e-12)


def test_position_when_warm_is_where_the_close_lies_in_talibs_year() -> None:
    high, low, close, _ = apple().T.copy()
    highest, lowest = talib.MAX(high, 252)[251:], talib.MIN(low, 252)[251:]
    np.testing.assert_allclose(column("position_252")[251:], (close[251:] - lowest) / (highest - lowest), rtol=1e-9)


@given(st.lists(st.integers(0, 9).map(float), min_size=1, max_size=60), st.integers(1, 20))
@settings(deadline=None)
def test_extremes_when_pushed_bar_by_bar_are_those_of_the_window(values: list[float], span: int) -> None:
    highs: Candidates = ()
    lows: Candidates = ()
    for nth, value in enumerate(values, start=1):
        highs, lows = push_highest(highs, nth, value, span), push_lowest(lows, nth, value, span)
        window = values[max(0, nth - span) : nth]
        assert (highs[0][1], lows[0][1]) == (max(window), min(window))
        assert max(len(highs), len(lows)) <= span


def test_macd_when_first_read_has_a_fast_average_seeded_from_closes_15_to_26() -> None:
    closes = apple()[:26, 2]
    assert apple_readings()[25]["macd"] == pytest.approx(closes[14:].mean() - closes.mean(), rel=1e-12)


def test_macd_when_seeds_have_faded_is_the_difference_of_the_averages() -> None:
    gap = np.abs(column("macd") - (column("ema_12") - column("ema_26"))) / apple()[:, 2]
    assert gap[25] > 0.01
    assert gap[150:].max() < 1e-9


@pytest.mark.parametrize(("name", "decay"), [("volatility_ewma", 0.94), ("volatility_slow", 0.99)])
@pytest.mark.parametrize("count", [63, 500, 3_270])
def test_volatility_when_warm_is_the_annualised_risk_measure(name: str, decay: float, count: int) -> None:
    daily = ewma_volatility(returns_from_closes(apple()[:count, 2]), decay)
    assert apple_readings()[count - 1][name] == pytest.approx(daily * 252**0.5, rel=1e-9)


@pytest.mark.parametrize(("name", "bars"), WARM_AFTER.items())
def test_reading_when_a_bar_short_is_absent(name: str, bars: int) -> None:
    readings = apple_readings()
    assert not any(name in reading for reading in readings[: bars - 1])
    assert all(name in reading for reading in readings[bars - 1 :])


def test_readings_when_no_bar_came_are_empty() -> None:
    assert read(empty()) == {}


@given(walks(least=1), st.data())
@settings(deadline=None, max_examples=60)
def test_state_when_saved_as_json_mid_series_gives_identical_values(bars: list[Bar], data: st.DataObject) -> None:
    cut = data.draw(st.integers(0, len(bars)))
    before = folded(bars[:cut])
    restored = STATE.validate_json(STATE.dump_json(before))
    assert restored == before
    assert folded(bars[cut:], restored) == folded(bars)
    assert read(folded(bars[cut:], restored)) == read(folded(bars))


def test_state_when_windows_are_full_stays_small() -> None:
    state = folded(apple().tolist())
    assert (len(state.closes), len(state.volumes)) == (50, 20)
    assert len(STATE.dump_json(state)) < 3_000


@given(walks(least=50))
@settings(deadline=None, max_examples=60)
def test_readings_when_prices_walk_keep_their_bounds(bars: list[Bar]) -> None:
    values = read(folded(bars))
    assert 0 <= values["rsi_14"] <= 100
    assert 0 <= values["adx_14"] <= 100
    assert -1 <= values["volume_flow_20"] <= 1
    assert values["atr_14"] >= 0
    assert values["volatility_ewma"] >= 0
    assert values["momentum_20"] > -1
    assert values["bollinger_lower"] <= values["sma_20"] <= values["bollinger_upper"]
    assert values["macd_histogram"] == values["macd"] - values["macd_signal"]
    closes = [close for _, _, close, _ in bars]
    for name in ("sma_20", "sma_50", "ema_12", "ema_26"):
        assert min(closes) * (1 - 1e-12) <= values[name] <= max(closes) * (1 + 1e-12)


@given(walks(least=50), st.integers(-10, 10).map(lambda power: 2.0**power))
@settings(deadline=None, max_examples=60)
def test_readings_when_prices_are_scaled_scale_or_stay(bars: list[Bar], factor: float) -> None:
    values = read(folded(bars))
    scaled = read(folded([(high * factor, low * factor, close * factor, volume) for high, low, close, volume in bars]))
    measures = ("rsi_14", "adx_14", "bollinger_percent_b", "momentum_20", "volume_flow_20", "position_252")
    unitless = {*measures, "volatility_ewma", "volatility_slow"}
    # A power of two changes no digit, so this holds to the last one.
    assert scaled == {name: value if name in unitless else value * factor for name, value in values.items()}


@given(st.lists(st.floats(1e-9, 1e12), min_size=252, max_size=260))
@settings(deadline=None, max_examples=30)
def test_readings_when_prices_are_extreme_are_finite_json(closes: list[float]) -> None:
    values = read(folded([(close, close, close, 0.0) for close in closes]))
    assert values.keys() == WARM_AFTER.keys()
    assert json.loads(json.dumps(values, allow_nan=False)) == values


@pytest.mark.parametrize("close", [0.1, 1 / 3, 100.0, 1e12])
def test_readings_when_the_series_is_constant_are_neutral(close: float) -> None:
    values = read(folded(flat(close, 260)))
    assert all(values[name] == close for name in ("sma_20", "sma_50", "ema_12", "ema_26", "ema_200"))
    assert values["bollinger_lower"] == values["bollinger_upper"] == close
    assert (values["rsi_14"], values["bollinger_percent_b"], values["position_252"]) == (50.0, 0.5, 0.5)
    assert values["high_252"] == values["low_252"] == close
    still = ("macd", "macd_signal", "atr_14", "momentum_20", "volatility_ewma", "volatility_slow", "adx_14")
    assert all(values[name] == 0 for name in (*still, "volume_flow_20"))


@pytest.mark.parametrize(("factor", "rsi"), [(1.01, 100.0), (0.99, 0.0)])
def test_rsi_when_every_bar_moves_one_way_is_at_its_end(factor: float, rsi: float) -> None:
    assert read(folded(bars_from([(factor, 0.0, 0.0)] * 60)))["rsi_14"] == rsi


def test_percent_b_when_close_leaves_the_bands_passes_one() -> None:
    values = read(folded([*flat(100.0, 19), (130.0, 100.0, 130.0, 1.0)]))
    width = values["bollinger_upper"] - values["bollinger_lower"]
    assert values["bollinger_percent_b"] > 1
    assert values["bollinger_percent_b"] == pytest.approx((130 - values["bollinger_lower"]) / width, rel=1e-12)


@pytest.mark.parametrize(
    "bar",
    [
        (float("nan"), 9.0, 10.0, 1.0),
        (11.0, float("nan"), 10.0, 1.0),
        (11.0, 9.0, float("nan"), 1.0),
        (float("inf"), 9.0, 10.0, 1.0),
        (11.0, 9.0, 12.0, 1.0),
        (11.0, 9.0, 8.0, 1.0),
        (11.0, 0.0, 10.0, 1.0),
        (11.0, -9.0, 10.0, 1.0),
        (2e12, 9.0, 10.0, 1.0),
        (11.0, 9.0, 10.0, -1.0),
        (11.0, 9.0, 10.0, float("nan")),
        (11.0, 9.0, 10.0, float("inf")),
    ],
)
def test_bar_when_impossible_is_refused_and_the_state_stays_good(bar: Bar) -> None:
    state = folded(flat(10.0, 3))
    with pytest.raises(InvalidError):
        advance(state, *bar)
    assert state == folded(flat(10.0, 3))


@pytest.mark.parametrize(("age_hours", "left"), [(0.0, 8.0), (6.0, 4.0), (12.0, 2.0), (3.0, 8 / 2**0.5), (1e9, 0.0)])
def test_weight_when_aged_halves_with_each_half_life(age_hours: float, left: float) -> None:
    assert decayed(8.0, age_hours, 6.0) == pytest.approx(left, rel=1e-12)


@given(st.floats(0, 100), st.floats(0, 1_000), st.floats(0, 1_000), st.floats(0.1, 1_000))
@settings(deadline=None)
def test_weight_when_aged_in_two_steps_equals_one_step(weight: float, first: float, then: float, half: float) -> None:
    two_steps = decayed(decayed(weight, first, half), then, half)
    assert two_steps == pytest.approx(decayed(weight, first + then, half), rel=1e-9, abs=1e-300)
    assert two_steps <= weight


@pytest.mark.parametrize(
    ("weight", "age_hours", "half_life_hours"),
    [
        (1.0, -0.1, 6.0),
        (1.0, 1.0, 0.0),
        (1.0, 1.0, -6.0),
        (float("nan"), 1.0, 6.0),
        (1.0, float("nan"), 6.0),
        (1.0, 1.0, float("nan")),
        (1.0, float("inf"), 6.0),
    ],
)
def test_weight_when_age_or_half_life_is_impossible_is_refused(
    weight: float, age_hours: float, half_life_hours: float
) -> None:
    with pytest.raises(InvalidError):
        decayed(weight, age_hours, half_life_hours)
