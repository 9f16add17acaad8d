"""The latency of a trade over HTTP: where the time between its request and its consensus went."""

from datetime import UTC, datetime
from typing import Annotated

from fastapi import Path, Response
from pydantic import BaseModel

from functions.api import operation
from functions.api.access import Calling
from functions.api.problem import documented
from shared.clock import wall_seconds
from shared.events.catalogue import decode
from shared.events.envelope import Token, UtcTime
from shared.latency import Hop, hops, span_us
from shared.ledger.port import Span
from shared.store.port import Filter
from shared.wiring import desk

router = operation.router("/api/trades", "trades")

_WHOLE_STORY = 1_000


class HopView(BaseModel):
    """An execution: who handled which event, and what the time went to. The parts exclude one another.

    Attributes
    ----------
    agent : str
        An agent or reader; for the request itself, its route.
    event, type : str
        What was handled.
    started : datetime
        Recording time.
    critical : bool
        Whether the consensus waited for it.
    wait_ms : float
        From the message's arrival in the queue, or when it came due, to the start.
    handler_ms : float
        In the agent's handler, with what it read.
    store_ms : float
        Until receipt, state, decision and messages were read and written.
    model_ms : float
        Until a language model had answered.
    """

    agent: str
    event: str
    type: str
    started: UtcTime
    critical: bool
    wait_ms: float
    handler_ms: float
    store_ms: float
    model_ms: float


class Latency(BaseModel):
    """Where a trade's time went.

    Attributes
    ----------
    elapsed_ms : float or None
        From the request's handling to the consensus, along the critical hops; null while there is no consensus, or when
        the ledger has forgotten it.
    hops : list of HopView
        All executions that the trade led to, by their start. A message that came twice is there twice.
    """

    id: Token
    elapsed_ms: float | None
    hops: list[HopView]


@router.get("/{trade_id}/latency", response_model=Latency, responses=documented(404))
async def get_latency(caller: Calling, trade_id: Annotated[Token, Path()]) -> Response:
    """Give the executions that a trade led to, and which of them its consensus waited for."""
    current = desk()
    await current.queries.trade(caller, trade_id)
    await current.book.flush()
    page = await current.store.page(Filter(stream=f"trade-{trade_id}", audiences=caller.audiences), "", _WHOLE_STORY)
    now = int(wall_seconds() * 1e6)
    entries = await current.book.ledger.entries(Span(0, now, trade_id))
    found = hops([decode(body) for body in page.events], entries)
    elapsed = span_us(found)
    view = Latency(
        id=trade_id,
        elapsed_ms=None if elapsed is None else elapsed / 1_000,
        hops=[_view(hop) for hop in found],
    )
    return operation.answer(view)


def _view(hop: Hop) -> HopView:
    usage = hop.entry.usage
    return HopView(
        agent=hop.entry.agent,
        event=hop.entry.event,
        type=hop.entry.type,
        started=datetime.fromtimestamp(hop.entry.started / 1e6, UTC),
        critical=hop.is_critical,
        wait_ms=usage.wait_us / 1_000,
        handler_ms=usage.handler_us / 1_000,
        store_ms=usage.store_us / 1_000,
        model_ms=usage.model_us / 1_000,
    )
