"""What the desk needs of a source of market data."""

from datetime import datetime
from typing import Protocol

from shared.events.market import Bar, Interval
from shared.events.news import NewsItem
from shared.events.portfolio import Portfolio


class MarketSource(Protocol):
    """A vendor of market data. Empty means that there is nothing; failure raises.

    Every method may raise `TransientError` (busy, slow or away; worth another try at the next tick) and `InvalidError`
    (the vendor refuses: wrong key, unknown symbol).
    """

    async def bars(self, symbols: tuple[str, ...], interval: Interval, start: datetime, end: datetime) -> list[Bar]:
        """Give the finished bars that closed after `start` and not after `end`.

        Returns
        -------
        list of Bar
            Ordered by `closed_at`, then symbol; split-adjusted. A symbol that did not trade has no bar.
        """
        ...

    async def news(self, symbols: tuple[str, ...], start: datetime, end: datetime) -> list[NewsItem]:
        """Give the headlines published after `start` and not after `end`, oldest first."""
        ...

    async def portfolio(self) -> Portfolio | None:
        """Give what the account holds now, or None where the source has no account."""
        ...
