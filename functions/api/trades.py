"""Trades over HTTP: ask for one, and follow it to its consensus."""

from typing import Annotated, Any
from uuid import uuid4

from fastapi import APIRouter, Header, Response

from functions.api.problem import FieldError
from shared.errors import ConflictError, InvalidError
from shared.events.catalogue import decode
from shared.events.envelope import Token, derive_id
from shared.events.trade import Trade, TradeRequested
from shared.wiring import Desk, desk

router = APIRouter(prefix="/api/trades", tags=["trades"])

IdempotencyKey = Annotated[
    str, Header(max_length=200, description="The same key never asks twice; a retry gives the same trade.")
]


@router.post("", status_code=202)
async def request_trade(trade: Trade, response: Response, idempotency_key: IdempotencyKey = "") -> dict[str, Any]:
    """Ask the agents about a trade; nothing is bought or sold."""
    current = desk()
    await _check(current, trade)
    trade_id = derive_id("trade", idempotency_key) if idempotency_key else str(uuid4())
    await _record(current, trade_id, trade)
    response.headers["Location"] = f"/api/trades/{trade_id}"
    return await current.queries.trade(trade_id)


@router.get("/{trade_id}")
async def get_trade(trade_id: Token) -> dict[str, Any]:
    """Give a trade's state: `open` or `decided`, its opinions so far, late ones marked, and its consensus."""
    return await desk().queries.trade(trade_id)


async def _check(current: Desk, trade: Trade) -> None:
    try:
        current.watchlist.stream_of(trade.symbol)
    except InvalidError as error:
        raise FieldError("symbol", str(error).removeprefix("symbol: ")) from error
    if trade.portfolio and await current.portfolios.get(trade.portfolio, current.clock.now()) is None:
        raise FieldError("portfolio", f"there is no portfolio {trade.portfolio}")


async def _record(current: Desk, trade_id: str, trade: Trade) -> None:
    requested = TradeRequested.first(
        id=trade_id, source="api", stream=f"trade-{trade_id}", time=current.clock.now(), data=trade
    )
    if await current.runtime.emit([requested]):
        return
    known = decode(await current.queries.event(trade_id))
    if known.data != trade:
        raise ConflictError("Idempotency-Key: it was used for another trade")
