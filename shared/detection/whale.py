"""Whales: somebody trades far more than is usual for the symbol at that time.

The logarithm of each bar's volume is compared with what is usual in its slot: the weekday of a day, the half hour of
New York's day of a shorter bar, because volume has its hours. Usual is an exponentially weighted mean per slot; the
deviation s from it is pooled over the slots. A whale is a bar at least 3.5 s and at least twice above the usual volume.
Deviations enter the profile cut at 3 s, so that one whale does not hide the next.

Its price impact is the bar's return in standard deviations of returns (EWMA, before the bar); its side is `buying`
where the price rose by half of one or more, `selling` where it fell by that, else `unclear`. Bars do not tell who
traded: earnings and index changes look like whales. Block prints would need trades, which the feed does not have.
"""

from datetime import datetime
from math import exp, log
from zoneinfo import ZoneInfo

from shared.detection.detector import Detector, Memory, Seen
from shared.events.market import MarketWhaleDetected, Whale

LEAST_BARS = 60
DEVIATIONS = 3.5
LEAST_TIMES = 2.0
CUT = 3.0
LEAST_DEVIATION = 0.2
"""Of the logarithm: below it a volume that hardly ever varies would call every ripple a whale."""
SLOT_SHARE, SPREAD_SHARE = 0.1, 0.03
SIDE_DEVIATIONS = 0.5
_COUNTS, _SPREAD, _SLOTS = 0, 1, 2
_NEW_YORK = ZoneInfo("America/New_York")
_DAYS, _HALF_HOURS = 7, 48


def whale(memory: Memory, seen: Seen) -> tuple[Memory, Whale | None]:
    """Find a volume that is far above the usual one.

    The memory is the number of bars, the pooled variance, and of each slot its number of bars and its mean.
    """
    if seen.bar.volume <= 0:
        return memory, None  # nobody traded: that says nothing of those who will
    slots = _DAYS if seen.interval == "1Day" else _HALF_HOURS
    known = list(memory or (0.0,) * (2 + 2 * slots))
    place = _SLOTS + 2 * _slot(seen.bar.closed_at, seen.interval)
    nth, mean = known[place], known[place + 1]
    deviation = max(known[_SPREAD] ** 0.5, LEAST_DEVIATION)
    surprise = log(seen.bar.volume) - mean if nth else 0.0
    finding = _finding(seen, surprise, deviation) if known[_COUNTS] >= LEAST_BARS and nth else None
    cut = max(-CUT * deviation, min(CUT * deviation, surprise)) if known[_COUNTS] >= LEAST_BARS else surprise
    known[_COUNTS] += 1
    known[_SPREAD] += (cut * cut - known[_SPREAD]) * max(1 / known[_COUNTS], SPREAD_SHARE)
    known[place] = nth + 1
    known[place + 1] = mean + cut * max(1 / (nth + 1), SLOT_SHARE) if nth else log(seen.bar.volume)
    return tuple(known), finding


def _slot(closed_at: datetime, interval: str) -> int:
    local = closed_at.astimezone(_NEW_YORK)
    # A bar that closes at 10:00 traded before it.
    return local.weekday() if interval == "1Day" else (local.hour * 60 + local.minute - 1) // 30 % _HALF_HOURS


def _finding(seen: Seen, surprise: float, deviation: float) -> Whale | None:
    times = exp(min(surprise, 50.0))
    if surprise < DEVIATIONS * deviation or times < LEAST_TIMES:
        return None
    impact = seen.change / seen.usual_change if seen.usual_change else 0.0
    return Whale(
        symbol=seen.bar.symbol,
        closed_at=seen.bar.closed_at,
        side="unclear" if abs(impact) < SIDE_DEVIATIONS else "buying" if impact > 0 else "selling",
        volume=seen.bar.volume,
        usual_volume=seen.bar.volume / times,
        surprise=surprise / deviation,
        change=seen.change,
        impact=impact,
    )


WHALE = Detector("whale", MarketWhaleDetected, follow=whale)
