"""The trade that all contenders decide, and its agents from JSON to JSON for those that bring their own transport.

A peer carries the request to each agent and the votes to the consensus in its own way; what is computed there is our
code on the same histories for everybody. These lie in memory for the peers, where a desk reads its file.
"""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Literal

from shared.agents.registry import TRADE
from shared.agents.risk_manager import RiskDeps
from shared.agents.step import Ballot, Closing
from shared.bus.topology import topology
from shared.events.envelope import derive_id
from shared.events.portfolio import Portfolio, PortfolioChanged, Position
from shared.events.trade import ConsensusReached, OpinionFormed, Trade, TradeRequested
from shared.ingest import Ingest, portfolio_event
from shared.market.recorded import SYMBOLS, RecordedMarketSource
from shared.projections.bar import BarHistory
from shared.projections.in_memory import InMemoryProjectionStore
from shared.projections.portfolio import Portfolios
from shared.store.in_memory import InMemoryEventStore
from shared.watchlist import Watchlist
from tests.standins.desk import MemoryDesk, an_agent_desk

AGENTS = tuple(TRADE.judges)
OPENED_AT = datetime(2008, 9, 12, 14, 30, tzinfo=UTC)
LOOKBACK = timedelta(days=400)
SETTINGS = {"FINAGENT_START": f"{OPENED_AT:%Y-%m-%d}", "FINAGENT_SPEED": "1", "FINAGENT_DEADLINE_SECONDS": "3600"}
"""A desk with these has the histories of a `Panel`, and no deadline comes while it is measured."""

PORTFOLIO = Portfolio(
    portfolio="bench", cash=1e6, positions=tuple(Position(symbol=symbol, quantity=1_000) for symbol in SYMBOLS)
)
KINDS = 2 * len(SYMBOLS)


def a_trade(ordinal: int) -> Trade:
    """Give one of `KINDS` trades in turn: a share of each symbol, bought or sold."""
    side: Literal["buy", "sell"] = "buy" if ordinal % 2 else "sell"
    return Trade(symbol=SYMBOLS[ordinal // 2 % len(SYMBOLS)], side=side, quantity=1, portfolio=PORTFOLIO.portfolio)


def a_request(name: str, trade: Trade, time: datetime = OPENED_AT) -> TradeRequested:
    """Give the event that a trade begins with."""
    return TradeRequested.first(id=name, source="api", stream=f"trade-{name}", time=time, data=trade)


def a_holding(time: datetime) -> PortfolioChanged:
    """Give the event of the portfolio that the trades would change."""
    return portfolio_event(PORTFOLIO, time, after="", source="api")


class Panel:
    """The agents with what they read, and the consensus that weighs their votes."""

    def __init__(self, desk: MemoryDesk) -> None:
        self._roles = desk.roles

    @classmethod
    async def open(cls) -> "Panel":
        """Give a panel that has read the recorded history before `OPENED_AT`."""
        store, bars = InMemoryEventStore(), BarHistory(InMemoryProjectionStore(), "1Day")
        desk = an_agent_desk(topology(), SYMBOLS)
        desk.clock.moment = OPENED_AT
        source, watchlist = RecordedMarketSource(), Watchlist(SYMBOLS)
        emit = desk.runtime.emit
        ingest = Ingest(source, desk.clock, emit, desk.store, bars, watchlist, "1Day", OPENED_AT, LOOKBACK)
        await ingest.market_tick()
        await ingest.news_tick()
        await desk.run()
        # In a log of its own: a search of that in memory goes through all of it.
        await store.append([a_holding(OPENED_AT)])
        panel = cls(desk)
        panel._read_portfolios_from(store)
        return panel

    def _read_portfolios_from(self, store: InMemoryEventStore) -> None:
        role = self._roles["risk_manager"]
        assert isinstance(role.deps, RiskDeps)
        deps = replace(role.deps, portfolios=Portfolios(InMemoryProjectionStore(), store))
        self._roles = {**self._roles, role.name: replace(role, deps=deps)}

    async def vote(self, agent: str, request: bytes) -> bytes:
        """Give an agent's vote on a request."""
        event = TradeRequested.model_validate_json(request)
        decision = await TRADE.voter(agent)(event, None, self._roles[agent].deps)
        return decision.emits[0].event.json_bytes

    def weigh(self, request: bytes, votes: list[bytes]) -> bytes:
        """Give the consensus of all votes on a request."""
        event = TradeRequested.model_validate_json(request)
        opinions = sorted((OpinionFormed.model_validate_json(vote) for vote in votes), key=lambda vote: vote.data.agent)
        ballots = tuple(Ballot(id=vote.id, time=vote.time, opinion=vote.data) for vote in opinions)
        closing = Closing(TRADE, event.id, ballots, "quorum", event.time)
        reached = ConsensusReached.caused_by(
            event, source="consensus", id=derive_id(event.id, "consensus"), data=TRADE.aggregate(closing)
        )
        return reached.json_bytes
