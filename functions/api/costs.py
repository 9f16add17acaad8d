"""Costs over HTTP: what was used, and its price."""

from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, timedelta
from itertools import groupby
from typing import Annotated

from fastapi import Query, Response
from pydantic import BaseModel

from functions.api import operation
from functions.api.access import Calling
from functions.api.problem import FieldError
from functions.api.request import Moment
from shared.callers.caller import Caller, Role
from shared.clock import wall_seconds
from shared.costs import PriceTable
from shared.events.envelope import Token, UtcTime
from shared.ledger.port import LIFE, NOTHING, Grouping, Span, Sum, total
from shared.wiring import desk

router = operation.router("/api/costs", "operations")

_A_DAY = timedelta(days=1)
_MOST_GROUPS = 1_000
_NO_OWNER = "-"
"""No name of an owner begins so."""


class Use(BaseModel):
    """What was used.

    Attributes
    ----------
    executions : int
        Invocations of functions.
    gb_seconds : float
        Memory-seconds, as the Flex Consumption plan rounds them.
    request_units : float or None
        Of Cosmos DB; null on one machine, where there are none.
    messages_sent, messages_received, messages_settled : int
        Service Bus operations, in steps of 64 KB; a lock's renewal counts as a settlement.
    handler_ms, store_ms, model_ms, wait_ms : float
        Time in handlers, waiting for store and bus, for language models, and in queues.
    input_tokens, output_tokens : int
        Of all language models.
    """

    executions: int
    gb_seconds: float
    request_units: float | None
    messages_sent: int
    messages_received: int
    messages_settled: int
    handler_ms: float
    store_ms: float
    model_ms: float
    wait_ms: float
    input_tokens: int
    output_tokens: int


class Price(BaseModel):
    """Money, at the first paid step of each price list.

    Attributes
    ----------
    total : float
        The sum of what is known.
    cosmos : float or None
        Request units; null where they are not counted.
    service_bus : float
        Operations.
    functions : float
        Memory-seconds and executions.
    models : float
        Tokens of the language models that the table has.
    """

    total: float
    cosmos: float | None
    service_bus: float
    functions: float
    models: float


class Group(BaseModel):
    """A group's use and its price.

    Attributes
    ----------
    key : str
        An agent, timer or route; a day; the id of the event that began a story, such as a trade; an owner. Empty for
        what belongs to none.
    """

    key: str
    use: Use
    price: Price


class Costs(BaseModel):
    """What the desk used, and what that costs.

    Attributes
    ----------
    billed : bool
        Whether it is charged at all: on one machine the price is what the same would cost in Azure, without Cosmos DB.
    currency : str
        Of all prices.
    prices, prices_of : str
        The table's name, and the day on which the oldest of its lists was looked at.
    since, until : datetime
        Recording time, not the desk's.
    groups : list of Group
        The dearest first.
    omitted : int
        Groups beyond the limit; they are in the total.
    unpriced_models : list of str
        Language models that were used and that the table has no price for.
    """

    billed: bool
    currency: str
    prices: str
    prices_of: date
    since: UtcTime
    until: UtcTime
    groups: list[Group]
    omitted: int
    total: Group
    unpriced_models: list[str]


@router.get("", response_model=Costs)
async def get_costs(
    caller: Calling,
    by: Annotated[Grouping, Query(description="`trade` is any story, by the id of its first event.")] = "agent",
    since: Annotated[
        Moment | None, Query(alias="from", description="Recording time; a day before `to` unless given.")
    ] = None,
    until: Annotated[Moment | None, Query(alias="to", description="Recording time; now, unless given.")] = None,
    trade: Annotated[Token | None, Query(description="Only this story: all that followed from a trade.")] = None,
    limit: Annotated[int, Query(ge=1, le=_MOST_GROUPS, description="Groups at most.")] = 100,
) -> Response:
    """Give what the desk used for the caller, to an operator for all, and what that costs; of a quarter at most."""
    current = desk()
    await current.book.flush()
    start, end = _range(since, until, whole=trade is not None)
    sums = await current.book.ledger.sums(by, Span(_microseconds(start), _microseconds(end), trade, _owner(caller)))
    billed = current.database is None
    groups = sorted(_groups(sums, current.prices, billed=billed), key=lambda group: (-group.price.total, group.key))
    costs = Costs(
        billed=billed,
        currency=current.prices.currency,
        prices=current.prices.name,
        prices_of=current.prices.oldest,
        since=start,
        until=end,
        groups=groups[:limit],
        omitted=max(0, len(groups) - limit),
        total=_group("", total(sums), current.prices, billed=billed),
        unpriced_models=current.prices.unpriced(sums),
    )
    return operation.answer(costs)


def _owner(caller: Caller) -> str | None:
    """Give whose costs a caller is told: an operator everybody's, others their own, who owns nothing none."""
    return None if caller.may(Role.OPERATOR) else caller.owner or _NO_OWNER


def _range(since: datetime | None, until: datetime | None, *, whole: bool) -> tuple[datetime, datetime]:
    now = datetime.fromtimestamp(wall_seconds(), UTC)
    end = min(until or now + timedelta(seconds=1), now + _A_DAY)
    start = max(since or (now - LIFE if whole else end - _A_DAY), now - LIFE)
    if start > end:
        if since is not None and until is not None and since > until:
            raise FieldError("to", "must not be before `from`")
        start = end
    return start, end


def _microseconds(moment: datetime) -> int:
    return int(moment.timestamp() * 1e6)


def _groups(sums: Iterable[Sum], prices: PriceTable, *, billed: bool) -> list[Group]:
    return [_group(key, list(parts), prices, billed=billed) for key, parts in groupby(sums, key=lambda part: part.key)]


def _group(key: str, parts: Sequence[Sum], prices: PriceTable, *, billed: bool) -> Group:
    usage = NOTHING
    for part in parts:
        usage = usage.plus(part.usage)
    cost = prices.price(parts, has_units=billed)
    return Group(
        key=key,
        use=Use(
            executions=usage.executions,
            gb_seconds=prices.gb_seconds(usage),
            request_units=usage.milli_units / 1_000 if billed else None,
            messages_sent=usage.sent,
            messages_received=usage.received,
            messages_settled=usage.settled,
            handler_ms=usage.handler_us / 1_000,
            store_ms=usage.store_us / 1_000,
            model_ms=usage.model_us / 1_000,
            wait_ms=usage.wait_us / 1_000,
            input_tokens=usage.input_tokens,
            output_tokens=usage.output_tokens,
        ),
        price=Price(
            total=cost.total,
            cosmos=cost.cosmos,
            service_bus=cost.service_bus,
            functions=cost.functions,
            models=cost.models,
        ),
    )
