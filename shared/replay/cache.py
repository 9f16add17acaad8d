"""A market source's history on disk: what a vendor was asked for once is not asked for again."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from hashlib import sha256
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from shared.clock import WallClock
from shared.errors import InvalidError
from shared.events.market import Bar, Interval
from shared.events.news import NewsItem
from shared.events.portfolio import Portfolio
from shared.market.port import MarketSource
from shared.replay.whole_file import write_whole

_BARS, _NEWS = TypeAdapter(list[Bar]), TypeAdapter(list[NewsItem])


_WALL = WallClock()
SETTLED_AFTER = timedelta(days=7)
"""How long after its end a window may still get bars, headlines and corrections."""


class CachedMarketSource:
    """A `MarketSource` around another, for history that is over: nothing in it is ever asked for anew.

    A window that ends within the last week is asked for each time, and so is one in which a symbol has no bar: the
    vendor may not have it yet.

    Parameters
    ----------
    folder : Path
        Where the answers are kept, one file each; remove it to ask again.
    now : callable
        Gives the wall time.

    Notes
    -----
    Raises `InvalidError` where an answer cannot be read or written; a file appears when it is whole.
    """

    def __init__(self, source: MarketSource, folder: Path, now: Callable[[], datetime] = _WALL.now) -> None:
        self._source = source
        self._folder = folder
        self._now = now

    async def bars(self, symbols: tuple[str, ...], interval: Interval, start: datetime, end: datetime) -> list[Bar]:
        """Give the bars of a window, as they were when it was first asked for."""
        path = self._path("bars", symbols, interval, start, end)
        if (kept := _read(path, _BARS)) is None or not _are_whole(kept, symbols):
            kept = await self._source.bars(symbols, interval, start, end)
            if _are_whole(kept, symbols) and self._is_settled(end):
                self._keep(path, _BARS.dump_json(kept))
        return kept

    async def news(self, symbols: tuple[str, ...], start: datetime, end: datetime) -> list[NewsItem]:
        """Give the headlines of a window, as they were when it was first asked for."""
        path = self._path("news", symbols, "", start, end)
        if (kept := _read(path, _NEWS)) is None:
            kept = await self._source.news(symbols, start, end)
            if self._is_settled(end):
                self._keep(path, _NEWS.dump_json(kept))
        return kept

    async def portfolio(self) -> Portfolio | None:
        """Give None: history has no account."""
        return None

    def _keep(self, path: Path, body: bytes) -> None:
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InvalidError(f"{self._folder}: cannot be written: {error.strerror}") from error
        write_whole(path, body)

    def _is_settled(self, end: datetime) -> bool:
        return end + SETTLED_AFTER <= self._now()

    def _path(self, kind: str, symbols: Sequence[str], interval: str, start: datetime, end: datetime) -> Path:
        key = "\x1f".join([kind, ",".join(symbols), interval, start.isoformat(), end.isoformat()])
        return self._folder / f"{kind}-{sha256(key.encode()).hexdigest()[:24]}.json"


def _are_whole(bars: Sequence[Bar], symbols: Sequence[str]) -> bool:
    return {bar.symbol for bar in bars}.issuperset(symbols)


def _read[T](path: Path, kind: TypeAdapter[T]) -> T | None:
    try:
        return kind.validate_json(path.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValidationError) as error:
        raise InvalidError(f"{path}: what was kept cannot be read; remove it to ask again") from error
