"""Recovery over HTTP: for a desk in a file, which only its own host may open."""

from typing import Annotated

from fastapi import Query, Response
from pydantic import AfterValidator, BaseModel

from functions.api import operation
from functions.api.problem import FieldError
from functions.api.request import Moment
from shared.errors import InvalidError
from shared.events.envelope import EventTime, within_reach
from shared.replay.recover import Recovery
from shared.wiring import desk

router = operation.router("/api/recoveries", "operations")


class Recovered(BaseModel):
    """What was never handled, and is on its way again.

    Attributes
    ----------
    events : int
        Events of the log since the moment.
    sent : dict of str to int
        Messages by agent; empty where all was handled.
    """

    since: EventTime
    events: int
    sent: dict[str, int]


@router.post("", response_model=Recovered, status_code=202)
async def recover(
    since: Annotated[
        Moment,
        AfterValidator(within_reach),
        Query(description="Desk time with its zone; what happened before is left."),
    ],
) -> Response:
    """Have the agents handle what they never did since a moment; doing it again, or beside other work, does no harm."""
    current = desk()
    try:
        done = await Recovery(current.sweep, current.projector).recover(since)
    except InvalidError as error:
        raise FieldError("since", str(error)) from error
    return operation.answer(Recovered(since=since, events=done.events, sent=dict(done.sent)), 202)
