"""A simulated broker: fills orders at a bar's price with slippage, fees, partial fills, splits and dividends.

An order is filled at the first bar that closes after it was placed and opened after it, too: at its open, or at its
close. A purchase costs slippage on top of the price, a sale loses it. Of a bar's volume it takes at most a share; what
is left waits for the next bar. A purchase beyond the cash, or a sale beyond what is held, shrinks to it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from math import floor
from typing import Literal

from shared.broker.port import Account, Fill, Order
from shared.errors import InvalidError
from shared.events.market import Bar

LOTS_PER_SHARE = 100
"""Shares are traded in hundredths."""


@dataclass(frozen=True, slots=True)
class Terms:
    """How orders are filled.

    Attributes
    ----------
    price : str
        The bar's `open` or `close`.
    slippage, fee : float
        Fractions of what is traded.
    fee_per_share : float
        US dollars.
    most_of_volume : float
        Share of a bar's volume that can be had.
    """

    price: Literal["open", "close"] = "open"
    slippage: float = 0.0005
    fee: float = 0.0005
    fee_per_share: float = 0.0
    most_of_volume: float = 0.1


@dataclass(frozen=True, slots=True)
class CorporateAction:
    """A split or a dividend, for bars that are not adjusted for it.

    Attributes
    ----------
    at : datetime
        It holds from the first bar that closes after it.
    amount : float
        New shares for an old one, or US dollars per share.
    """

    kind: Literal["split", "dividend"]
    symbol: str
    at: datetime
    amount: float


class SimulatedBroker:
    """A `Broker` without a market: the bars say what would have been.

    Parameters
    ----------
    terms : Terms
        How orders are filled.
    actions : sequence of CorporateAction
        What happens to shares; leave it empty where prices are adjusted.

    Raises
    ------
    InvalidError
        An action's amount is not above 0.
    """

    def __init__(self, terms: Terms, actions: Sequence[CorporateAction] = ()) -> None:
        if wrong := [action for action in actions if not action.amount > 0]:
            raise InvalidError(f"corporate action: {wrong[0].kind} of {wrong[0].symbol} must be above 0")
        self._terms = terms
        self._actions = sorted(actions, key=lambda action: action.at)
        self._orders: dict[str, Order] = {}
        self.account = Account(0.0)

    def open(self, account: Account) -> None:
        """Begin with an account, and no orders."""
        self.account = account
        self._orders.clear()

    def place(self, order: Order) -> None:
        """Take an order in place of an earlier one for the symbol."""
        self._orders[order.symbol] = order

    def trade(self, bars: Sequence[Bar]) -> list[Fill]:
        """Fill what can be in these bars, sales first."""
        if self._actions:
            for bar in bars:
                self._act(bar)
        if not self._orders:
            return []
        orders = [(self._orders[bar.symbol], bar) for bar in bars if bar.symbol in self._orders]
        orders.sort(key=lambda pair: (pair[0].side == "buy", pair[0].symbol))
        found = [self._fill(order, bar) for order, bar in orders if bar.closed_at > order.placed_at]
        return [fill for fill in found if fill is not None]

    def _act(self, bar: Bar) -> None:
        while due := next(
            (each for each in self._actions if each.symbol == bar.symbol and each.at < bar.closed_at), None
        ):
            self._actions.remove(due)
            held = self.account.shares.get(due.symbol, 0.0)
            if due.kind == "dividend":
                self.account = replace(self.account, cash=self.account.cash + held * due.amount)
            else:
                self._split(due.symbol, held, due.amount)

    def _split(self, symbol: str, held: float, ratio: float) -> None:
        if held:
            paid = {**self.account.prices_paid, symbol: self.account.prices_paid[symbol] / ratio}
            self.account = replace(self.account, shares={**self.account.shares, symbol: held * ratio}, prices_paid=paid)
        if symbol in self._orders:
            order = self._orders[symbol]
            self._orders[symbol] = replace(order, quantity=order.quantity * ratio)

    def _fill(self, order: Order, bar: Bar) -> Fill | None:
        terms, buys = self._terms, order.side == "buy"
        quoted = bar.open if terms.price == "open" else bar.close
        price = quoted * (1 + terms.slippage if buys else 1 - terms.slippage)
        possible = self._affordable(price) if buys else self.account.shares.get(order.symbol, 0.0)
        had = min(order.quantity, possible, _whole_lots(terms.most_of_volume * bar.volume))
        remaining = order.quantity - had if possible > had else 0.0
        self._keep(order, remaining)
        if had <= 0:
            return None
        fee = had * (price * terms.fee + terms.fee_per_share)
        self._book(order, had, price, fee)
        return Fill(order, had, price, had * abs(price - quoted), fee, remaining, bar.closed_at)

    def _affordable(self, price: float) -> float:
        return _whole_lots(self.account.cash / (price * (1 + self._terms.fee) + self._terms.fee_per_share))

    def _keep(self, order: Order, remaining: float) -> None:
        if remaining > 0:
            self._orders[order.symbol] = replace(order, quantity=remaining)
        else:
            del self._orders[order.symbol]

    def _book(self, order: Order, quantity: float, price: float, fee: float) -> None:
        shares, paid = dict(self.account.shares), dict(self.account.prices_paid)
        before = shares.pop(order.symbol, 0.0)
        signed = quantity if order.side == "buy" else -quantity
        if after := before + signed:
            shares[order.symbol] = after
            if signed > 0:
                paid[order.symbol] = (before * paid.get(order.symbol, 0.0) + quantity * price) / after
        else:
            paid.pop(order.symbol, None)
        self.account = Account(max(0.0, self.account.cash - signed * price - fee), shares, paid)


def _whole_lots(quantity: float) -> float:
    return floor(quantity * LOTS_PER_SHARE) / LOTS_PER_SHARE
