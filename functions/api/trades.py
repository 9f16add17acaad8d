"""Trades over HTTP: ask for one, and follow it to its consensus."""

from typing import Annotated, Literal
from uuid import uuid4

from fastapi import Depends, Path, Response
from pydantic import BaseModel, ConfigDict

from functions.api import operation
from functions.api.access import Calling
from functions.api.narrative import NarrativeView
from functions.api.problem import FieldError, documented
from functions.api.request import IdempotencyKey, Shares, check_json, check_room, check_symbol, own
from shared.callers.caller import Caller
from shared.events.catalogue import decode
from shared.events.envelope import Token, UtcTime, derive_id
from shared.events.trade import Consensus, Opinion, Trade, TradeRequested
from shared.wiring import Desk, desk

router = operation.router("/api/trades", "trades")


class TradeRequest(Trade):
    """A proposal to trade; nothing is bought or sold by it.

    Attributes
    ----------
    quantity : float
        Shares.
    portfolio : str or None
        The portfolio whose risk it would change; without one the risk manager abstains.
    """

    model_config = ConfigDict(json_schema_extra={"examples": [{"symbol": "AAPL", "side": "buy", "quantity": 100}]})

    quantity: Shares


class OpinionView(Opinion):
    """An agent's vote, and the event that it came as.

    Attributes
    ----------
    event : str
        Id of the `opinion.formed`.
    late : bool
        It came after the consensus, which does not count it.
    """

    event: Token
    late: bool


class ConsensusView(Consensus):
    """What the agents concluded together, and the event that it came as.

    Attributes
    ----------
    event : str
        Id of the `consensus.reached`.
    """

    event: Token


class TradeView(BaseModel):
    """A trade from its request to its consensus. Times are the desk's.

    Attributes
    ----------
    state : str
        `open` until there is a consensus, then `decided`.
    deadline : datetime
        When the consensus closes with the votes that are in.
    narrative : NarrativeView or None
        What a language model wrote on the consensus; there is none where the desk has no model.
    """

    id: Token
    state: Literal["open", "decided"]
    requested_at: UtcTime
    deadline: UtcTime
    trade: Trade
    opinions: list[OpinionView]
    consensus: ConsensusView | None
    narrative: NarrativeView | None = None


@router.post(
    "",
    status_code=202,
    response_model=TradeView,
    dependencies=[Depends(check_json)],
    responses=documented(400, 409, 413, 415)
    | {202: {"headers": {"Location": {"description": "Where to follow it.", "schema": {"type": "string"}}}}},
)
async def request_trade(caller: Calling, request: TradeRequest, idempotency_key: IdempotencyKey = None) -> Response:
    """Ask the agents about a trade; nothing is bought or sold."""
    current = desk()
    await check_room(current)
    check_symbol(current, request.symbol, "symbol")
    await _check_portfolio(current, caller, request)
    trade_id = derive_id("trade", *own(caller, idempotency_key)) if idempotency_key else str(uuid4())
    await _record(current, caller, trade_id, Trade.model_validate(request.model_dump()))
    return await _answer(current, caller, trade_id, 202, {"Location": f"/api/trades/{trade_id}"})


@router.get("/{trade_id}", response_model=TradeView, responses=documented(404))
async def get_trade(caller: Calling, trade_id: Annotated[Token, Path()]) -> Response:
    """Give a trade's state, its opinions so far, late ones marked, and its consensus."""
    return await _answer(desk(), caller, trade_id)


async def _answer(
    current: Desk, caller: Caller, trade_id: str, status: int = 200, headers: dict[str, str] | None = None
) -> Response:
    view = TradeView.model_validate(await current.queries.trade(caller, trade_id))
    return operation.answer(view, status, headers)


async def _check_portfolio(current: Desk, caller: Caller, request: TradeRequest) -> None:
    now = current.clock.now()
    if request.portfolio and await current.portfolios.get(caller.owner, request.portfolio, now) is None:
        raise FieldError("portfolio", f"there is no portfolio {request.portfolio}")


async def _record(current: Desk, caller: Caller, trade_id: str, trade: Trade) -> None:
    requested = TradeRequested.first(
        id=trade_id,
        source="api",
        stream=f"trade-{trade_id}",
        time=current.clock.now(),
        data=trade,
        owner=caller.owner,
    )
    if await current.runtime.emit([requested]):
        return
    known = decode(await current.queries.event(caller, trade_id, f"trade-{trade_id}"))
    if known.data != trade:
        raise FieldError("idempotency-key", "it was used for another trade", 409)
