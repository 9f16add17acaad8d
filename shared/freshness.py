"""How fresh the desk's prices are: the newest close of each symbol, and which symbols are stale."""

from collections.abc import Sequence
from datetime import datetime

from shared.events.market import Bar
from shared.projections.bar import STALE_AFTER, BarHistory

NAMED = 10


class Freshness:
    """Remembers the newest close of each symbol; what it has not heard of yet it reads from the projection."""

    def __init__(self, bars: BarHistory) -> None:
        self._bars = bars
        self._newest: dict[str, datetime] = {}

    async def newest(self, symbol: str, now: datetime) -> datetime | None:
        """Give a symbol's newest close, or None where no price was ever known."""
        if symbol not in self._newest and (bars := await self._bars.read(symbol, now, limit=1)):
            self._newest[symbol] = bars[0].closed_at
        return self._newest.get(symbol)

    def hear(self, bars: Sequence[Bar]) -> None:
        """Take in bars that the log has by now."""
        for bar in bars:
            self._newest[bar.symbol] = max(bar.closed_at, self._newest.get(bar.symbol, bar.closed_at))

    def ages(self, now: datetime) -> dict[str, float]:
        """Give the desk seconds since the newest close of each symbol that has been asked for or heard of."""
        return {symbol: (now - at).total_seconds() for symbol, at in self._newest.items()}

    async def complaint(self, symbols: Sequence[str], now: datetime) -> str | None:
        """Say which symbols have no price that an agent would still judge by, and since when; None when all have."""
        newest = {symbol: await self.newest(symbol, now) for symbol in symbols}
        stale = {symbol: at for symbol, at in newest.items() if at is None or now - at > STALE_AFTER}
        known = [at for at in stale.values() if at]
        if known and len(known) == len(newest):
            return f"no prices since {max(known):%Y-%m-%d}: the feed is stale, or a recording is at its end"
        named = [f"{symbol} {f'since {at:%Y-%m-%d}' if at else 'at all'}" for symbol, at in stale.items()]
        more = [f"{len(named) - NAMED} more"] if len(named) > NAMED else []
        return f"no prices of {', '.join(named[:NAMED] + more)}" if named else None
