"""What the agents said in the course of a backtest: their votes as they were made, and their views from day to day."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

from shared.events.envelope import Event, Fact, Quantity, Share, Stance, Symbol, Token, UtcTime
from shared.events.forecast import ForecastPublished
from shared.events.market import AnalysisCompleted
from shared.events.news import SentimentScored
from shared.events.portfolio import RiskAssessed
from shared.events.rebalance import RebalanceSuggested
from shared.events.trade import ConsensusReached, TradeRequested

type Value = float | str

_DIGITS = 4


class VoteCast(Fact):
    """A vote that was counted, to four digits; `abstained` says why it has no stance."""

    agent: Token
    stance: Stance
    confidence: Share
    abstained: str | None = None


class Decided(Fact):
    """A trade that the desk decided on.

    Attributes
    ----------
    trade : str
        Id of the `trade.requested`, as in the fills that came of it.
    vetoes : tuple of str
        What forbade it.
    score : float
        As of the consensus, -1 to +1, to four digits.
    """

    trade: Token
    symbol: Symbol
    side: Literal["buy", "sell"]
    quantity: Quantity
    decision: Literal["approved", "rejected", "no_quorum"]
    score: Stance
    vetoes: tuple[str, ...]
    decided_at: UtcTime
    votes: tuple[VoteCast, ...]


class ViewChanges(Fact):
    """What an agent thought of a subject over time.

    Attributes
    ----------
    subject : str
        A symbol, or the portfolio.
    name, unit : str
        What is said of it; numbers are to four digits.
    changes : tuple of pair
        Places among the report's moments, and what it thought from then on.
    """

    agent: Token
    subject: Token
    name: Token
    unit: str
    changes: tuple[tuple[int, Value], ...]


@dataclass(frozen=True, slots=True)
class _Key:
    agent: str
    subject: str
    name: str
    unit: str = ""


@dataclass(slots=True)
class Chronicle:
    """Listens to a run, and puts down what has changed whenever a day is over."""

    decided: list[Decided] = field(default_factory=list)
    _asked: dict[str, TradeRequested] = field(default_factory=dict)
    _now: dict[_Key, Value] = field(default_factory=dict)
    _changes: dict[_Key, list[tuple[int, Value]]] = field(default_factory=dict)

    def hear(self, event: Event) -> None:
        """Take in an event of the run; most say nothing that is put down."""
        match event:
            case TradeRequested():
                self._asked[event.id] = event
            case ConsensusReached():
                self.decided.append(_decided(self._asked.pop(event.data.trigger), event))
            case _:
                self._now |= _views(event)

    def close(self, place: int) -> None:
        """Put down what is different from the last time: the moment at `place` is over."""
        for key, value in self._now.items():
            known = self._changes.setdefault(key, [])
            if not known or known[-1][1] != value:
                known.append((place, value))
        self._now.clear()

    def views(self) -> Iterator[ViewChanges]:
        """Give what was put down, by agent and subject; of each, first what was said first."""
        for key, changes in sorted(self._changes.items(), key=lambda each: (each[0].agent, each[0].subject)):
            yield ViewChanges(
                agent=key.agent, subject=key.subject, name=key.name, unit=key.unit, changes=tuple(changes)
            )


def _decided(asked: TradeRequested, event: ConsensusReached) -> Decided:
    return Decided(
        trade=asked.id,
        symbol=asked.data.symbol,
        side=asked.data.side,
        quantity=asked.data.quantity,
        decision=event.data.decision,
        score=round(event.data.score, _DIGITS),
        vetoes=event.data.vetoes,
        decided_at=event.data.decided_at,
        votes=tuple(
            VoteCast(
                agent=vote.agent,
                stance=round(vote.stance, _DIGITS),
                confidence=round(vote.confidence, _DIGITS),
                abstained=vote.abstained,
            )
            for vote in event.data.votes
        ),
    )


def _views(event: Event) -> dict[_Key, Value]:
    agent = event.source
    match event:
        case AnalysisCompleted(data=seen):
            return {
                _Key(agent, seen.symbol, "view", "-1 to +1"): round(seen.view, _DIGITS),
                _Key(agent, seen.symbol, "trend"): seen.trend,
                _Key(agent, seen.symbol, "regime"): seen.regime or "unknown",
            }
        case SentimentScored(data=read):
            return {_Key(agent, read.symbol, "sentiment", "-1 to +1"): round(read.score, _DIGITS)}
        case RiskAssessed(data=risk):
            loss = risk.measures.get("ewma_var_95")
            return {} if loss is None else {_Key(agent, risk.portfolio, "var_95", "of value"): round(loss, _DIGITS)}
        case RebalanceSuggested(data=plan):
            return {_Key(agent, plan.portfolio, "orders", "suggested"): float(len(plan.orders))}
        case ForecastPublished():
            return _forecasts(event)
    return {}


def _forecasts(event: ForecastPublished) -> dict[_Key, Value]:
    said = dict[_Key, Value]()
    for forecast in event.data.forecasts:
        far = forecast.horizons[-1]
        unit = f"in {far.days} days"
        said[_Key(event.source, forecast.symbol, "expected_return", unit)] = round(far.mean, _DIGITS)
        said[_Key(event.source, forecast.symbol, "loss_probability", unit)] = round(far.probability_of_loss, _DIGITS)
    return said
