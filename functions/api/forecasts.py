"""Forecasts over HTTP: how likely the oracle thinks what a symbol may do."""

from typing import Annotated

from fastapi import Path, Query, Response

from functions.api import operation
from functions.api.access import Calling
from functions.api.problem import documented
from functions.api.request import Moment, check_symbol
from shared.events.envelope import Symbol, Token, UtcTime
from shared.events.forecast import Forecast
from shared.wiring import desk

router = operation.router("/api/forecasts", "forecasts")


class ForecastView(Forecast):
    """A forecast, and the event that it came with.

    Attributes
    ----------
    event : str
        Id of the `forecast.published`.
    published_at : datetime
        Desk time of that event.
    """

    event: Token
    published_at: UtcTime


@router.get("/{symbol}", response_model=ForecastView, responses=documented(404))
async def get_forecast(
    caller: Calling,
    symbol: Annotated[Symbol, Path(examples=["AAPL"])],
    as_of: Annotated[Moment | None, Query(description="As it was then; now, unless given.")] = None,
) -> Response:
    """Give the latest forecast of a symbol's return over 1, 5 and 21 trading days, as of a desk time."""
    current = desk()
    check_symbol(current, symbol, "symbol", 404)
    published = await current.queries.forecast(caller, symbol, as_of or current.clock.now())
    content = published.data.forecasts[0].model_dump()
    return operation.answer(ForecastView(**content, event=published.id, published_at=published.time))
