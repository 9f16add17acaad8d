"""Crashes: a fall that is too large for the symbol, a long way down from the year's high, many falling at once.

**Drop.** A bar whose return r is at or below minus the larger of 3 s and the floor, where s is the standard deviation
of returns as estimated before the bar (EWMA, decay 0.94) and the floor is 5 % for a day, less for shorter bars
(`FLOORS`). Told once a day and severity.

**Drawdown.** The close lies 25, 40 or 55 % under the highest high of 252 bars; each tier is told once, and again only
after the close has come back to 10 points above it.

**Breadth.** Of at least three symbols, two thirds fall by the larger of s and 4/5 of the floor in one bar.

Severity is `moderate` from the threshold, `severe` from 1.5 times and `extreme` from twice it; of drawdowns it is the
tier. Nothing is said before 60 bars are known. Bars must be adjusted for splits, or a split is a crash.
"""

from collections.abc import Sequence
from typing import Literal

from shared.detection.detector import Detector, Memory, Seen
from shared.events.market import MARKET, Crash, Interval, MarketCrashDetected, Severity

LEAST_BARS = 60
DEVIATIONS = 3.0
FLOORS: dict[Interval, float] = {"1Day": 0.05, "1Hour": 0.035, "15Min": 0.03, "5Min": 0.025, "1Min": 0.02}
TIERS = (0.25, 0.40, 0.55)
RECOVERY = 0.10
BREADTH_LEAST = 3
BREADTH_SHARE = 2 / 3
BREADTH_DEVIATIONS = 1.0
BREADTH_FLOOR = 0.8
_GRADES = (1.5, 2.0)
"""Times the threshold from which a fall is severe, and extreme."""
_SEVERITIES: tuple[Severity, ...] = ("moderate", "severe", "extreme")


def drop(memory: Memory, seen: Seen) -> tuple[Memory, Crash | None]:
    """Find a fall that is too large for the symbol. The memory is the day and the severity that were told last."""
    threshold = max(DEVIATIONS * seen.usual_change, FLOORS[seen.interval])
    if seen.before.count < LEAST_BARS or -seen.change < threshold:
        return memory, None
    day, grade = float(seen.bar.closed_at.toordinal()), _grade(-seen.change / threshold)
    if memory and memory[0] == day and memory[1] >= grade:
        return memory, None
    return (day, grade), _crash(seen, "drop", grade, -seen.change, threshold)


def drawdown(memory: Memory, seen: Seen) -> tuple[Memory, Crash | None]:
    """Find how far the close lies under the year's high. The memory is the number of tiers that were told."""
    told = int(memory[0]) if memory else 0
    peak = seen.after.highs[0][1]
    fallen = 1 - seen.bar.close / peak
    passed = sum(fallen >= tier for tier in TIERS)
    if seen.before.count < LEAST_BARS or passed <= told:
        left = sum(fallen >= tier - RECOVERY for tier in TIERS)
        return (float(min(told, left)),), None
    return (float(passed),), _crash(seen, "drawdown", passed - 1, fallen, TIERS[passed - 1])


def breadth(seen: Sequence[Seen]) -> Crash | None:
    """Find many symbols that fall at once; `fall` is the mean of theirs."""
    known = [each for each in seen if each.before.count >= LEAST_BARS]
    falling = [each for each in known if -each.change >= _breadth_threshold(each)]
    if len(known) < BREADTH_LEAST or len(falling) < BREADTH_SHARE * len(known):
        return None
    fall = -sum(each.change for each in falling) / len(falling)
    threshold = sum(map(_breadth_threshold, falling)) / len(falling)
    return Crash(
        symbol=MARKET,
        kind="breadth",
        severity=_SEVERITIES[_grade(fall / threshold)],
        closed_at=max(each.bar.closed_at for each in seen),
        fall=fall,
        threshold=threshold,
        symbols=tuple(each.bar.symbol for each in falling),
        of=len(known),
    )


def _breadth_threshold(seen: Seen) -> float:
    return max(BREADTH_DEVIATIONS * seen.usual_change, BREADTH_FLOOR * FLOORS[seen.interval])


def _grade(times: float) -> int:
    return sum(times >= bound for bound in _GRADES)


def _crash(seen: Seen, kind: Literal["drop", "drawdown"], grade: int, fall: float, threshold: float) -> Crash:
    return Crash(
        symbol=seen.bar.symbol,
        kind=kind,
        severity=_SEVERITIES[grade],
        closed_at=seen.bar.closed_at,
        fall=fall,
        threshold=threshold,
        symbols=(seen.bar.symbol,),
        of=1,
    )


DROP = Detector("drop", MarketCrashDetected, follow=drop)
DRAWDOWN = Detector("drawdown", MarketCrashDetected, follow=drawdown)
BREADTH = Detector("breadth", MarketCrashDetected, compare=breadth)
