"""Rebalances over HTTP: what the portfolio optimizer would trade."""

from typing import Annotated

from fastapi import Query, Response

from functions.api import operation
from functions.api.access import Calling
from functions.api.portfolios import Name
from functions.api.problem import documented
from functions.api.request import Moment
from shared.events.envelope import Token, UtcTime
from shared.events.rebalance import Rebalance
from shared.wiring import desk

router = operation.router("/api/portfolios", "portfolios")


class RebalanceView(Rebalance):
    """A suggestion, and the event that it came with.

    Attributes
    ----------
    event : str
        Id of the `rebalance.suggested`.
    suggested_at : datetime
        Desk time of that event.
    """

    event: Token
    suggested_at: UtcTime


@router.get("/{name}/rebalance", response_model=RebalanceView, responses=documented(404))
async def get_rebalance(
    caller: Calling,
    name: Name,
    as_of: Annotated[Moment | None, Query(description="As it was then; now, unless given.")] = None,
) -> Response:
    """Give the latest suggestion how to rebalance a portfolio, as of a desk time."""
    current = desk()
    suggested = await current.queries.rebalance(caller, name, as_of or current.clock.now())
    content = suggested.data.model_dump()
    return operation.answer(RebalanceView(**content, event=suggested.id, suggested_at=suggested.time))
