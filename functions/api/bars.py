"""Bars over HTTP, for charts."""

from typing import Annotated

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel

from functions.api.problem import FieldError
from shared.events.envelope import Symbol, UtcTime
from shared.events.market import Bar
from shared.wiring import desk

router = APIRouter(prefix="/api/bars", tags=["bars"])


class Bars(BaseModel):
    """Bars of one symbol, oldest first: prices in US dollars, volume in shares, adjusted for splits."""

    symbol: str
    interval: str
    as_of: UtcTime
    bars: list[Bar]


@router.get("/{symbol}")
async def get_bars(
    symbol: Annotated[Symbol, Path()],
    start: Annotated[UtcTime | None, Query(alias="from", description="Leave out what closed at or before it.")] = None,
    to: Annotated[UtcTime | None, Query(description="Leave out what closed after it.")] = None,
    as_of: Annotated[UtcTime | None, Query(description="Show what was known then; now, unless given.")] = None,
) -> Bars:
    """Give a symbol's bars, at most the newest 5,000."""
    current = desk()
    if symbol not in current.watchlist.symbols:
        raise FieldError("symbol", f"{symbol} is not on the watchlist ({', '.join(current.watchlist.symbols)})", 404)
    moment = as_of or current.clock.now()
    bars = await current.queries.history(symbol, start, to or moment, moment)
    return Bars(symbol=symbol, interval=current.settings.interval, as_of=moment, bars=bars)
