"""What the desk needs of a source of option chains."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Protocol

RATE = 0.03
"""Fraction per year, continuous: what money is taken to cost. No source of rates is asked; over some weeks half of it
or twice as much moves an option by little, and a forward read from quotes makes up for most of that."""

_SECONDS_PER_YEAR = 365 * 86_400


@dataclass(frozen=True, slots=True)
class Quote:
    """What a contract is offered at.

    Attributes
    ----------
    strike, bid, ask : float
        US dollars per share, all above 0, the bid not above the ask.
    """

    kind: Literal["call", "put"]
    strike: float
    bid: float
    ask: float

    @property
    def middle(self) -> float:
        """Halfway between bid and ask."""
        return (self.bid + self.ask) / 2


@dataclass(frozen=True, slots=True)
class Chain:
    """The contracts on a share with one expiry.

    Attributes
    ----------
    origin : str
        `synthetic` where no market made the quotes.
    quoted_at : datetime
        When the newest of them was made.
    spot : float
        US dollars per share.
    rate, dividend_yield : float
        Fractions per year, continuous, that go with the quotes.
    quotes : tuple of Quote
        By strike, the call before the put.
    dropped : int
        Contracts left out because what was offered was no quote.
    """

    symbol: str
    origin: Literal["alpaca", "synthetic"]
    quoted_at: datetime
    expires_at: datetime
    spot: float
    rate: float
    dividend_yield: float
    quotes: tuple[Quote, ...]
    dropped: int = 0

    @property
    def years(self) -> float:
        """From the newest quote to the expiry."""
        return (self.expires_at - self.quoted_at).total_seconds() / _SECONDS_PER_YEAR


class ChainSource(Protocol):
    """Gives option chains. Failure raises: `TransientError` (worth another try) or `InvalidError` (refused)."""

    async def read(self, symbol: str, as_of: datetime, horizon_days: int) -> Chain:
        """Give the chain of the expiry nearest to so many days from `as_of`, as it was then.

        Raises
        ------
        MissingError
            There is none, or none of that moment any more.
        """
        ...
