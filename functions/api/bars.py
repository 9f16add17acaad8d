"""Bars over HTTP, for charts."""

from typing import Annotated

from fastapi import Path, Query, Response
from pydantic import BaseModel

from functions.api import operation
from functions.api.problem import FieldError, documented
from functions.api.request import Moment, check_symbol
from shared.events.envelope import Symbol, UtcTime
from shared.events.market import Bar, Interval
from shared.wiring import desk

router = operation.router("/api/bars", "bars")


class Bars(BaseModel):
    """Bars of one symbol, oldest first: prices in US dollars, volume in shares, adjusted for splits.

    Attributes
    ----------
    as_of : datetime
        Desk time: nothing that became known later is in it.
    """

    symbol: Symbol
    interval: Interval
    as_of: UtcTime
    bars: list[Bar]


@router.get("/{symbol}", response_model=Bars, responses=documented(404))
async def get_bars(
    symbol: Annotated[Symbol, Path(examples=["AAPL"])],
    start: Annotated[Moment | None, Query(alias="from", description="Leave out what closed at or before it.")] = None,
    to: Annotated[Moment | None, Query(description="Leave out what closed after it.")] = None,
    as_of: Annotated[Moment | None, Query(description="Show what was known then; now, unless given.")] = None,
) -> Response:
    """Give a symbol's bars, at most the newest 5,000."""
    current = desk()
    check_symbol(current, symbol, "symbol", 404)
    if start and to and start > to:
        raise FieldError("from", "it lies after `to`")
    moment = as_of or current.clock.now()
    bars = await current.queries.history(symbol, start, to or moment, moment)
    return operation.answer(Bars(symbol=symbol, interval=current.settings.interval, as_of=moment, bars=bars))
