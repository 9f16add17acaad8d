"""The watchlist: the symbols that the desk follows, and the market stream that each belongs to."""

from dataclasses import dataclass

from shared.errors import InvalidError

SHARD_SIZE = 50


@dataclass(frozen=True, slots=True)
class Watchlist:
    """The followed symbols, in shards of up to 50 that travel together in one event."""

    symbols: tuple[str, ...]

    def shards(self) -> dict[str, tuple[str, ...]]:
        """Give the symbols by their market stream."""
        starts = range(0, len(self.symbols), SHARD_SIZE)
        return {f"market-{start // SHARD_SIZE}": self.symbols[start : start + SHARD_SIZE] for start in starts}

    def stream_of(self, symbol: str) -> str:
        """Give the market stream of a symbol.

        Raises
        ------
        InvalidError
            The symbol is not followed.
        """
        if symbol not in self.symbols:
            raise InvalidError(f"symbol: {symbol} is not on the watchlist ({', '.join(self.symbols)})")
        return f"market-{self.symbols.index(symbol) // SHARD_SIZE}"
