"""A backtest: a range of market history played to the desk's agents, with a trader that does what they approve."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import batched

from shared.broker.port import Account
from shared.broker.simulated import CorporateAction, SimulatedBroker, Terms
from shared.errors import InvalidError
from shared.events.envelope import Event
from shared.events.explanation import ExplanationWritten
from shared.events.market import MarketDataReceived
from shared.events.news import HeadlineRead
from shared.events.portfolio import RiskAssessed
from shared.events.replay import Backtest, TradeFill, TradeFilled
from shared.events.trade import ConsensusReached, OpinionGraded, Vote
from shared.ingest import portfolio_event
from shared.market.port import MarketSource
from shared.replay.chronicle import Chronicle
from shared.replay.engine import Engine, Outcome
from shared.replay.source import market_history
from shared.replay.trader import NAME, Trader, content
from shared.replay.world import World
from shared.runtime import Role
from shared.watchlist import Watchlist

REBALANCE_DAYS = {"daily": 1, "weekly": 7, "monthly": 28}
STRIDE = 20
"""Events that are played between two looks at progress and cancellation."""

type Cast = Callable[[Backtest, World], tuple[Mapping[str, Role], Callable[[], Awaitable[Sequence[Event]]]]]
"""Gives the desk's agents in a world, and the grading of their opinions."""


type Watcher = Callable[[datetime, float], None]
"""Told the desk time that was reached, and the share of the time that was played, 0 to 1; it may raise to stop."""


@dataclass(slots=True)
class Diary:
    """What a report needs of a run.

    Attributes
    ----------
    moments, values : list
        The closes in the range, and what the portfolio was worth at each; the first is its opening.
    closes : dict of str to dict of datetime to float
        Closes by symbol and moment, the opening's among them.
    known : dict of str to pair of datetime
        When the first and the last bar of a symbol closed.
    invested : list of float
        Share of the value that was not cash.
    losses_expected : list of float or None
        At each value: the loss until the next one that is passed one time in twenty, as the risk manager said.
    votes : dict of str to tuple of Vote
        By the consensus that counted them.
    graded : dict of str to OpinionGraded
        The last by agent.
    models : set of str
        The language models that had a part in it.
    """

    moments: list[datetime] = field(default_factory=list)
    values: list[float] = field(default_factory=list)
    closes: dict[str, dict[datetime, float]] = field(default_factory=dict)
    invested: list[float] = field(default_factory=list)
    losses_expected: list[float | None] = field(default_factory=list)
    fills: list[TradeFill] = field(default_factory=list)
    decisions: dict[str, int] = field(default_factory=dict)
    votes: dict[str, tuple[Vote, ...]] = field(default_factory=dict)
    graded: dict[str, OpinionGraded] = field(default_factory=dict)
    known: dict[str, tuple[datetime, datetime]] = field(default_factory=dict)
    bars: int = 0
    models: set[str] = field(default_factory=set)
    chronicle: Chronicle = field(default_factory=Chronicle)


@dataclass(frozen=True, slots=True)
class Played:
    """A backtest that was played to its end."""

    backtest: Backtest
    outcome: Outcome
    diary: Diary
    opened: Account


class Run:
    """One backtest, from its history to its end.

    Parameters
    ----------
    record : callable, optional
        Given each event of the run's log.
    actions : sequence of CorporateAction
        For prices that are not adjusted.
    """

    def __init__(
        self,
        backtest: Backtest,
        source: MarketSource,
        cast: Cast,
        *,
        record: Callable[[Event], None] | None = None,
        watch: Watcher | None = None,
        actions: Sequence[CorporateAction] = (),
    ) -> None:
        self._asked, self._source, self._record, self._watch = backtest, source, record, watch
        self._world, self._diary = World(), Diary()
        terms = Terms(
            backtest.fill_price, backtest.slippage, backtest.fee, backtest.fee_per_share, backtest.most_of_volume
        )
        self._broker = SimulatedBroker(terms, actions)
        trader = Trader(
            backtest.portfolio,
            self._broker,
            self._world.store,
            timedelta(days=REBALANCE_DAYS[backtest.rebalance]),
            backtest.ends_at,
        )
        roles, grade = cast(backtest, self._world)
        self._engine = Engine({NAME: trader.role(), **roles}, self._world, record=self._note, timers=(grade,))
        self._last: dict[str, tuple[datetime, float]] = {}
        self._open_at: datetime | None = None
        self._opened = self._broker.account
        self._expected: float | None = None

    async def play(self) -> Played:
        """Play it.

        Raises
        ------
        InvalidError
            The source has no bar before the range or in it, or refuses what is asked.
        """
        asked = self._asked
        async for batch in self._history(asked.opens_at - timedelta(days=asked.lookback_days), asked.opens_at):
            await self._feed(batch)
        await self._open()
        async for batch in self._history(asked.opens_at, asked.ends_at):
            await self._feed(batch)
        await self._engine.finish()
        self._close()
        if len(self._diary.values) < 2:  # noqa: PLR2004 - one is the opening
            raise InvalidError(f"no bar of {', '.join(asked.symbols)} from {asked.first_day} to {asked.last_day}")
        return Played(asked, self._engine.outcome, self._diary, self._opened)

    def _history(self, start: datetime, end: datetime) -> AsyncIterator[Sequence[Event]]:
        asked = self._asked
        return market_history(self._source, Watchlist(asked.symbols), asked.interval, start, end, news=asked.news)

    async def _feed(self, batch: Sequence[Event]) -> None:
        for part in batched(batch, STRIDE, strict=False):
            await self._engine.feed(part)
            if self._watch is not None:
                self._watch(part[-1].time, self._share(part[-1].time))

    def _share(self, reached: datetime) -> float:
        asked = self._asked
        begun = asked.opens_at - timedelta(days=asked.lookback_days)
        return (reached - begun) / (asked.ends_at - begun)

    async def _open(self) -> None:
        """Hold equal weights of what has a price at the last closes before the range, in hundredths of shares."""
        if not self._last:
            raise InvalidError(f"no bar in the {self._asked.lookback_days} days before {self._asked.first_day}")
        share = self._asked.cash / len(self._last)
        shares = {symbol: int(share / close * 100) / 100 for symbol, (_, close) in self._last.items()}
        shares = {symbol: quantity for symbol, quantity in shares.items() if quantity > 0}
        spent = sum(quantity * self._last[symbol][1] for symbol, quantity in shares.items())
        paid = {symbol: self._last[symbol][1] for symbol in shares}
        self._opened = Account(self._asked.cash - spent, shares, paid)
        self._broker.open(self._opened)
        self._open_at = self._asked.opens_at
        data = content(self._asked.portfolio, self._broker.account)
        await self._engine.feed([portfolio_event(data, self._open_at, after="", source=NAME)])

    def _note(self, event: Event) -> None:
        diary = self._diary
        match event:
            case MarketDataReceived():
                self._note_bars(event)
            case TradeFilled():
                diary.fills.append(event.data)
            case ConsensusReached():
                diary.decisions[event.data.decision] = diary.decisions.get(event.data.decision, 0) + 1
                diary.votes[event.id] = event.data.votes
            case OpinionGraded():
                diary.graded[event.data.agent] = event
            case HeadlineRead() | ExplanationWritten():
                diary.models |= {call.model for call in event.data.calls}
            case RiskAssessed():
                self._expected = event.data.measures.get("ewma_var_95")
        diary.chronicle.hear(event)
        if self._record is not None:
            self._record(event)

    def _note_bars(self, event: MarketDataReceived) -> None:
        if self._open_at is not None and event.time != self._open_at:
            self._close()
            self._open_at = event.time
        self._diary.bars += len(event.data.bars)
        for bar in event.data.bars:
            self._last[bar.symbol] = bar.closed_at, bar.close
            first, _ = self._diary.known.setdefault(bar.symbol, (bar.closed_at, bar.closed_at))
            self._diary.known[bar.symbol] = first, bar.closed_at

    def _close(self) -> None:
        """Put down what the portfolio was worth at the moment that is over now."""
        if self._open_at is None:
            return
        account, diary = self._broker.account, self._diary
        held = sum(quantity * self._last[symbol][1] for symbol, quantity in account.shares.items())
        diary.moments.append(self._open_at)
        diary.values.append(account.cash + held)
        diary.invested.append(held / (account.cash + held))
        diary.losses_expected.append(self._expected)
        for symbol, (_, close) in self._last.items():
            diary.closes.setdefault(symbol, {})[self._open_at] = close
        diary.chronicle.close(len(diary.moments) - 1)
