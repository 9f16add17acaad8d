"""Why a trade was decided as it was, over HTTP."""

from typing import Annotated

from fastapi import Path, Response

from functions.api import operation
from functions.api.access import Calling
from functions.api.problem import documented
from shared.events.envelope import Token
from shared.why import Why, why
from shared.wiring import desk

router = operation.router("/api/trades", "trades")


@router.get("/{trade_id}/why", response_model=Why, responses=documented(404))
async def get_why(caller: Calling, trade_id: Annotated[Token, Path()]) -> Response:
    """Give the graph of a trade's decision: votes, the numbers that each rests on, and the events those come from."""
    return operation.answer(await why(desk().store, caller, trade_id))
