"""The trader of a backtest: takes up what the optimizer suggests, and carries out what the agents approve.

A suggestion becomes requests for trades as anybody could make them; their consensus decides. What is approved goes to
the broker, and what the broker fills changes the portfolio. Purchases that the cash does not cover yet are asked for
when the suggestion's sales were filled. A holding is never sold out: the optimizer plans only over what is held.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from math import floor
from typing import Any

from shared.agents.decision import Decision, Stateless
from shared.broker.port import Account, Broker, Fill, Order
from shared.errors import InvalidError
from shared.events.catalogue import decode
from shared.events.emit import Emit
from shared.events.envelope import Event, derive_id
from shared.events.market import MarketDataReceived
from shared.events.portfolio import Portfolio, PortfolioChanged, Position
from shared.events.rebalance import RebalanceOrder, RebalanceSuggested
from shared.events.replay import TradeFill, TradeFilled
from shared.events.trade import ConsensusReached, Trade, TradeRequested
from shared.projections.portfolio import stream_of
from shared.runtime import Role
from shared.store.port import EventStore

NAME = "trader"
LOTS_PER_SHARE = 100
LEAST_HELD = 1 / LOTS_PER_SHARE
MARGIN = 0.005
"""Of the cash is kept back where purchases are asked for: tomorrow's open and its costs are not known."""


@dataclass
class Trader:
    """Trades one portfolio.

    Attributes
    ----------
    every : timedelta
        So long at least between two suggestions that are taken up.
    until : datetime
        From then on nothing is taken up.
    """

    portfolio: str
    broker: Broker
    store: EventStore
    every: timedelta
    until: datetime
    _taken_up_at: datetime | None = None
    _later: dict[str, RebalanceOrder] = field(default_factory=dict)

    def role(self) -> Role:
        """Give the trader as the engine knows it."""
        reactions: dict[type[Event], Any] = {
            MarketDataReceived: self._on_market_data_received,
            RebalanceSuggested: self._on_rebalance_suggested,
            ConsensusReached: self._on_consensus_reached,
        }
        return Role(NAME, Stateless, reactions, None)

    async def _on_rebalance_suggested(self, event: RebalanceSuggested, _state: Stateless, _deps: None) -> Decision[Any]:
        orders = event.data.orders
        if event.data.portfolio != self.portfolio or not orders or not self._is_due(event.time):
            return Decision()
        self._taken_up_at, self._later = event.time, {}
        sales = [order for order in orders if order.side == "sell"]
        purchases = [order for order in orders if order.side == "buy"]
        if sales:
            self._later = {order.symbol: order for order in purchases}
            return Decision(emits=tuple(self._requests(event, self._least_kept(sales))))
        return Decision(emits=tuple(self._requests(event, self._affordable(purchases))))

    def _is_due(self, now: datetime) -> bool:
        return now < self.until and (self._taken_up_at is None or now - self._taken_up_at >= self.every)

    def _least_kept(self, sales: list[RebalanceOrder]) -> list[tuple[RebalanceOrder, float]]:
        shares = self.broker.account.shares
        kept = [(order, min(order.quantity, shares.get(order.symbol, 0.0) - LEAST_HELD)) for order in sales]
        return [(order, _whole_lots(quantity)) for order, quantity in kept if _whole_lots(quantity) > 0]

    def _affordable(self, purchases: list[RebalanceOrder]) -> list[tuple[RebalanceOrder, float]]:
        cash, cost = self.broker.account.cash * (1 - MARGIN), sum(order.quantity * order.price for order in purchases)
        part = min(1.0, cash / cost) if cost else 0.0
        shrunk = [(order, _whole_lots(order.quantity * part)) for order in purchases]
        return [(order, quantity) for order, quantity in shrunk if quantity > 0]

    def _requests(self, cause: Event, orders: list[tuple[RebalanceOrder, float]]) -> list[Emit]:
        emits = list[Emit]()
        for ordinal, (order, quantity) in enumerate(orders):
            data = Trade(symbol=order.symbol, side=order.side, quantity=quantity, portfolio=self.portfolio)
            event_id = derive_id(cause.id, NAME, TradeRequested.name(), str(ordinal))
            stream = f"trade-{event_id}"
            emits.append(Emit(TradeRequested.caused_by(cause, source=NAME, data=data, id=event_id, stream=stream)))
        return emits

    async def _on_consensus_reached(self, event: ConsensusReached, _state: Stateless, _deps: None) -> Decision[Any]:
        if event.data.decision != "approved":
            return Decision()
        body = await self.store.get(event.data.trigger)
        trade = decode(body) if body is not None else None
        if not isinstance(trade, TradeRequested):
            raise InvalidError(f"consensus {event.id} is of no trade in the log")
        asked = trade.data
        if asked.portfolio == self.portfolio:
            order = Order(trade.id, event.id, asked.symbol, asked.side, asked.quantity, event.time)
            self.broker.place(order)
        return Decision()

    async def _on_market_data_received(
        self, event: MarketDataReceived, _state: Stateless, _deps: None
    ) -> Decision[Any]:
        before = self.broker.account
        fills = self.broker.trade(event.data.bars)
        emits = [Emit(self._filled(event, ordinal, fill)) for ordinal, fill in enumerate(fills)]
        if self.broker.account != before:
            data = content(self.portfolio, self.broker.account)
            stream = stream_of(None, self.portfolio)
            emits.append(Emit(PortfolioChanged.caused_by(event, source=NAME, data=data, stream=stream)))
        if self._later and any(fill.order.side == "sell" and not fill.remaining for fill in fills):
            emits += self._asked_later(event)
        return Decision(emits=tuple(emits))

    def _filled(self, event: MarketDataReceived, ordinal: int, fill: Fill) -> TradeFilled:
        order = fill.order
        data = TradeFill(
            portfolio=self.portfolio,
            trade=order.id,
            consensus=order.consensus,
            symbol=order.symbol,
            side=order.side,
            quantity=fill.quantity,
            price=fill.price,
            slippage=fill.slippage,
            fee=fill.fee,
            remaining=fill.remaining,
            decided_at=order.placed_at,
            bar_closed_at=fill.closed_at,
        )
        stream = stream_of(None, self.portfolio)
        return TradeFilled.caused_by(
            event, source=NAME, ordinal=ordinal, stream=stream, causation=order.consensus, data=data
        )

    def _asked_later(self, event: Event) -> list[Emit]:
        purchases, self._later = list(self._later.values()), {}
        return self._requests(event, self._affordable(purchases))


def content(portfolio: str, account: Account) -> Portfolio:
    """Give what an account holds as a portfolio."""
    positions = tuple(
        Position(symbol=symbol, quantity=quantity, average_price=account.prices_paid.get(symbol))
        for symbol, quantity in sorted(account.shares.items())
    )
    return Portfolio(portfolio=portfolio, cash=account.cash, positions=positions)


def _whole_lots(quantity: float) -> float:
    return floor(quantity * LOTS_PER_SHARE + 1e-6) / LOTS_PER_SHARE
