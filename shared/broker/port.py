"""What a replay needs of a broker: to take orders, and to say at each bar what became of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, Protocol

from shared.events.market import Bar


@dataclass(frozen=True, slots=True)
class Order:
    """An order at the market.

    Attributes
    ----------
    id : str
        Of the event that asked for the trade.
    consensus : str
        Id of the event that approved it.
    placed_at : datetime
        When that was; nothing is filled at a bar that had closed by then.
    """

    id: str
    consensus: str
    symbol: str
    side: Literal["buy", "sell"]
    quantity: float
    placed_at: datetime


@dataclass(frozen=True, slots=True)
class Fill:
    """What was bought or sold of an order at one bar.

    Attributes
    ----------
    price : float
        US dollars per share, slippage included.
    slippage, fee : float
        US dollars, both costs above 0.
    remaining : float
        Shares of the order that are still to be filled; 0 where it is done or what is left was given up.
    closed_at : datetime
        Close of the bar that it was filled in.
    """

    order: Order
    quantity: float
    price: float
    slippage: float
    fee: float
    remaining: float
    closed_at: datetime


@dataclass(frozen=True, slots=True)
class Account:
    """What is held: shares by symbol, what was paid for one of each, and US dollars."""

    cash: float
    shares: Mapping[str, float] = field(default_factory=dict)
    prices_paid: Mapping[str, float] = field(default_factory=dict)


class Broker(Protocol):
    """Holds an account and fills orders."""

    @property
    def account(self) -> Account:
        """What is held now."""
        ...

    def open(self, account: Account) -> None:
        """Begin with an account, and no orders."""
        ...

    def place(self, order: Order) -> None:
        """Take an order; an earlier one for the symbol that is still open is given up."""
        ...

    def trade(self, bars: Sequence[Bar]) -> list[Fill]:
        """Fill what can be in these bars, sales first, and give the fills."""
        ...
