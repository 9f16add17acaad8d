"""The detectors, bar by bar: what they call a crash or a whale, how often they say so, and that they say when."""

import math
from collections.abc import Iterable
from datetime import datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.detection import crash, whale
from shared.detection.catalogue import DETECTORS, NOTHING, follow
from shared.detection.detector import Memory, Seen
from shared.events.market import Crash, Interval, Whale
from shared.quant.indicator import IndicatorState, advance, empty
from tests.builders import CLOSE, DAY, MINUTE, a_bar

CALM = [100 * 1.002 ** (n % 2) for n in range(120)]
"""Ripples of 0.2 %: three deviations are far less than the floor of 5 %."""


def seen(closes: Iterable[float], symbol: str = "AAPL", *, interval: Interval = "1Day") -> list[Seen]:
    shown, state = list[Seen](), empty()
    for nth, close in enumerate(closes):
        bar = a_bar(symbol, close=close, closed_at=CLOSE + nth * DAY)
        after = advance(state, bar.high, bar.low, bar.close, bar.volume)
        shown.append(Seen(bar, interval, state, after))
        state = after
    return shown


def crashes(closes: Iterable[float], kind: str) -> list[tuple[int, Crash]]:
    look = {"drop": crash.drop, "drawdown": crash.drawdown}[kind]
    memory: Memory = ()
    found = []
    for nth, each in enumerate(seen(closes)):
        memory, fact = look(memory, each)
        found += [(nth, fact)] if fact else []
    return found


@pytest.mark.parametrize(
    ("fall", "severity"),
    [(0.049, None), (0.051, "moderate"), (0.074, "moderate"), (0.076, "severe"), (0.099, "severe"), (0.101, "extreme")],
)
def test_drop_when_a_calm_symbol_falls_is_graded_by_the_floor(fall: float, severity: str | None) -> None:
    found = crashes([*CALM, CALM[-1] * (1 - fall)], "drop")
    assert [each.severity for _, each in found] == ([severity] if severity else [])
    if found:
        assert found[0][1].fall == pytest.approx(fall)
        assert found[0][1].threshold == pytest.approx(0.05)


def test_drop_when_the_symbol_is_wild_is_measured_in_its_own_deviations() -> None:
    wild = [100 * 1.04 ** (n % 2) for n in range(120)]
    assert crashes([*wild, wild[-1] * 0.90], "drop") == []
    [(_, found)] = crashes([*wild, wild[-1] * 0.87], "drop")
    assert found.threshold == pytest.approx(3 * seen([*wild, 1.0])[-1].usual_change)
    assert 0.11 < found.threshold < 0.13


@pytest.mark.parametrize("count", [59, 60])
def test_drop_when_fewer_than_sixty_bars_are_known_is_not_told(count: int) -> None:
    assert len(crashes([*CALM[:count], 50.0], "drop")) == (count == 60)


def test_drop_when_it_goes_on_the_same_day_is_told_again_only_if_worse() -> None:
    memory: Memory = ()
    told = []
    calm = seen(CALM, interval="15Min")
    for nth, close in enumerate((95.0, 91.0, 80.0)):
        before = calm[-1].after
        bar = a_bar(close=close, closed_at=calm[-1].bar.closed_at + nth * MINUTE)
        memory, found = crash.drop(memory, Seen(bar, "15Min", before, advance(before, close, close, close, 1.0)))
        told.append(found.severity if found else None)
    assert told == ["severe", "extreme", None]


def test_drawdown_when_it_deepens_tells_each_tier_once_and_again_after_a_recovery() -> None:
    path = [100.0] * 70 + [74.0, 76.0, 74.0, 59.0, 44.0, 20.0] + [74.0] + [86.0, 74.0]
    assert [(nth - 70, each.severity) for nth, each in crashes(path, "drawdown")] == [
        (0, "moderate"),
        (3, "severe"),
        (4, "extreme"),
        (8, "moderate"),
    ]


def test_drawdown_when_the_high_is_older_than_a_year_counts_from_the_next_one() -> None:
    found = crashes([100.0] + [80.0] * 251 + [70.0], "drawdown")
    assert found == []
    assert crashes([100.0] + [80.0] * 250 + [70.0], "drawdown")[0][1].fall == pytest.approx(0.3)


def falling(falls: dict[str, float], bars: int = 120) -> Crash | None:
    shown = [seen([*CALM[:bars], CALM[bars - 1] * (1 - fall)], symbol)[-1] for symbol, fall in falls.items()]
    return crash.breadth(shown)


def test_breadth_when_two_thirds_fall_at_once_names_them() -> None:
    found = falling({"AAPL": 0.05, "IBM": 0.06, "MSFT": 0.0})
    assert found is not None
    assert (found.symbol, found.symbols, found.of, found.severity) == ("MARKET", ("AAPL", "IBM"), 3, "moderate")
    assert found.fall == pytest.approx(0.055)
    assert found.threshold == pytest.approx(0.04)


@pytest.mark.parametrize(
    ("falls", "bars"),
    [
        ({"AAPL": 0.05, "IBM": 0.0, "MSFT": 0.0}, 120),
        ({"AAPL": 0.05, "IBM": 0.05}, 120),
        ({"AAPL": 0.039, "IBM": 0.039, "MSFT": 0.039}, 120),
        ({"AAPL": 0.05, "IBM": 0.05, "MSFT": 0.05}, 59),
    ],
    ids=["one third", "two symbols", "too little", "too young"],
)
def test_breadth_when_too_few_fall_or_too_little_is_not_told(falls: dict[str, float], bars: int) -> None:
    assert falling(falls, bars) is None


def whales(volumes: Iterable[float], *, closes: float = 100.0, last: float = 100.0) -> list[Whale | None]:
    memory: Memory = ()
    found, state = list[Whale | None](), empty()
    listed = list(volumes)
    for nth, volume in enumerate(listed):
        close = last if nth == len(listed) - 1 else closes * 1.01 ** (nth % 2)
        bar = a_bar(close=close, closed_at=CLOSE + nth * DAY, volume=volume)
        after = advance(state, bar.high, bar.low, close, volume)
        memory, fact = whale.whale(memory, Seen(bar, "1Day", state, after))
        found.append(fact)
        state = after
    return found


def usual(count: int) -> list[float]:
    return [1_000 * 1.1 ** math.sin(n) for n in range(count)]


@pytest.mark.parametrize(
    ("last", "side"), [(104.0, "buying"), (97.0, "selling"), (100.2, "unclear")], ids=["up", "down", "still"]
)
def test_whale_when_volume_is_far_above_the_usual_says_what_the_price_did(last: float, side: str) -> None:
    *before, found = whales([*usual(119), 5_000.0], last=last)
    assert before == [None] * 119
    assert found is not None
    assert (found.side, found.volume) == (side, 5_000.0)
    assert 900 < found.usual_volume < 1_100
    assert found.surprise > 3.5
    assert math.copysign(1, found.impact) == math.copysign(1, found.change)


@pytest.mark.parametrize(
    ("volumes", "told"),
    [
        ([*usual(119), 1_900.0], False),
        ([*usual(119), 2_300.0], True),
        ([*usual(59), 9_000.0], False),
        ([*usual(119), 0.0], False),
        ([*(1_000 * 4 ** (n % 2) for n in range(119)), 9_000.0], False),
    ],
    ids=["less than twice", "more than twice", "too young", "nothing traded", "always so wild"],
)
def test_whale_when_volume_is_not_far_enough_above_is_not_told(volumes: list[float], told: bool) -> None:
    assert (whales(volumes)[-1] is not None) == told


def test_whale_when_its_weekday_is_always_large_is_none() -> None:
    fridays = [5_000.0 if (CLOSE + n * DAY).weekday() == 4 else 1_000.0 for n in range(210)]
    assert whales(fridays)[70:] == [None] * 140
    fridays[-1] = 5_000.0
    assert (CLOSE + 209 * DAY).weekday() != 4
    assert whales(fridays)[-1] is not None


def test_whale_when_one_came_before_is_still_found() -> None:
    found = whales([*usual(119), 50_000.0, *usual(6), 5_000.0, *usual(6), 5_000.0])
    assert [nth for nth, each in enumerate(found) if each] == [119, 126, 133]


@pytest.mark.parametrize(
    ("moment", "slot"), [("2008-01-02T15:00", 19), ("2008-01-02T15:01", 20), ("2008-01-02T21:00", 31)]
)
def test_profile_when_bars_are_short_has_half_hours_of_new_york(moment: str, slot: int) -> None:
    memory, _ = whale.whale(
        (), Seen(a_bar(closed_at=datetime.fromisoformat(moment + "+00:00")), "1Min", empty(), empty())
    )
    assert [place for place in range(48) if memory[2 + 2 * place]] == [slot]


@given(
    st.lists(st.tuples(st.floats(0.7, 1.3), st.floats(0, 1e12)), min_size=1, max_size=150),
    st.sampled_from(["1Min", "1Day"]),
)
@settings(deadline=None, max_examples=60)
def test_detectors_when_anything_comes_keep_finite_memories_and_valid_alarms(
    moves: list[tuple[float, float]], interval: Interval
) -> None:
    memories, state, price = NOTHING, empty(), 100.0
    for nth, (factor, volume) in enumerate(moves):
        price = max(1e-3, price * factor)
        bar = a_bar(close=price, closed_at=CLOSE + nth * DAY, volume=volume)
        after: IndicatorState = advance(state, bar.high, bar.low, bar.close, bar.volume)
        memories, found = follow(memories, Seen(bar, interval, state, after))
        state = after
        assert all(fact.closed_at == bar.closed_at for _, fact in found)
        assert all(math.isfinite(value) for memory in memories.values() for value in memory)


def test_catalogue_when_listed_has_each_name_once_and_a_way_to_look() -> None:
    assert len({each.name for each in DETECTORS}) == len(DETECTORS)
    assert all(each.follow or each.compare for each in DETECTORS)
