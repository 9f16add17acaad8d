"""Comparing two versions on the same inputs: which decisions flip, and what that does to profit, risk and cost."""

import math
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import pstdev
from typing import Any

from pydantic import BaseModel, ConfigDict

from shared.events.envelope import Event
from shared.events.market import MarketDataReceived
from shared.events.trade import ConsensusReached, TradeRequested

HORIZON = timedelta(days=7)
"""What an approved trade has earned is measured after so long, as opinions are graded."""
_TOLERANCE = 1e-5
"""By less than this a score differs where another processor adds in another order."""


class Decided(BaseModel):
    """One decision of a version.

    Attributes
    ----------
    profit : float
        US dollars that the trade earned by the horizon, before costs; 0 where it was not approved.
    """

    model_config = ConfigDict(frozen=True)

    symbol: str
    side: str
    quantity: float
    decision: str
    score: float
    stances: dict[str, float]
    profit: float


class Version(BaseModel):
    """What a version made of the inputs.

    Attributes
    ----------
    profit : float
        US dollars, of all that it approved.
    worst, deviation : float
        US dollars: the least that an approved trade earned, and their standard deviation.
    events : int
        What the agents said: each is stored, and most are sent, which is what a desk pays for.
    """

    model_config = ConfigDict(frozen=True)

    decisions: dict[str, Decided]
    approved: int
    profit: float
    worst: float
    deviation: float
    events: int


@dataclass(frozen=True, slots=True)
class Flip:
    """A decision that is another one; None where a version made none."""

    trade: str
    before: Decided | None
    after: Decided | None


def version(played: Sequence[Event], came: Sequence[Event], made: int) -> Version:
    """Give what a version made of what was played; of `made` events, those that came are known."""
    closes = _closes(played)
    trades = {event.id: event for event in (*played, *came) if isinstance(event, TradeRequested)}
    decisions = {
        event.data.trigger: _decided(trades[event.data.trigger], event, closes)
        for event in came
        if isinstance(event, ConsensusReached) and event.data.trigger in trades
    }
    profits = [each.profit for each in decisions.values() if each.decision == "approved"]
    return Version(
        decisions=decisions,
        approved=len(profits),
        profit=math.fsum(profits),
        worst=min(profits, default=0.0),
        deviation=pstdev(profits) if profits else 0.0,
        events=made,
    )


def flips(before: Version, after: Version) -> list[Flip]:
    """Give the decisions that differ, in the order of the trades."""
    names = [*before.decisions, *(name for name in after.decisions if name not in before.decisions)]
    pairs = [Flip(name, before.decisions.get(name), after.decisions.get(name)) for name in names]
    return [each for each in pairs if _verdict(each.before) != _verdict(each.after)]


def moved(before: Version, after: Version) -> dict[str, float]:
    """Give by how much the scores of decisions changed that are the same, where they did."""
    both = before.decisions.keys() & after.decisions.keys()
    changes = {name: after.decisions[name].score - before.decisions[name].score for name in sorted(both)}
    return {name: change for name, change in changes.items() if abs(change) > _TOLERANCE}


def _verdict(decided: Decided | None) -> str | None:
    return None if decided is None else decided.decision


type _Closes = Mapping[str, tuple[list[datetime], list[float]]]


def _closes(played: Sequence[Event]) -> _Closes:
    found: dict[str, tuple[list[datetime], list[float]]] = {}
    for event in played:
        for bar in event.data.bars if isinstance(event, MarketDataReceived) else ():
            moments, prices = found.setdefault(bar.symbol, ([], []))
            moments.append(bar.closed_at)
            prices.append(bar.close)
    return found


def _decided(trade: TradeRequested, event: ConsensusReached, closes: _Closes) -> Decided:
    wish, consensus = trade.data, event.data
    approved = consensus.decision == "approved"
    return Decided(
        symbol=wish.symbol,
        side=wish.side,
        quantity=wish.quantity,
        decision=consensus.decision,
        score=consensus.score,
        stances={vote.agent: vote.stance for vote in consensus.votes if vote.abstained is None},
        profit=_earned(trade, closes) if approved else 0.0,
    )


def _earned(trade: TradeRequested, closes: _Closes) -> float:
    bought, sold = (_close(closes, trade.data.symbol, moment) for moment in (trade.time, trade.time + HORIZON))
    if bought is None or sold is None:
        return 0.0
    return trade.data.quantity * (sold - bought) * (1 if trade.data.side == "buy" else -1)


def _close(closes: Mapping[str, Any], symbol: str, moment: datetime) -> float | None:
    moments, prices = closes.get(symbol, ([], []))
    place = bisect_right(moments, moment)
    return prices[place - 1] if place else None
