"""What holds for every request: JSON bodies; numbers and times of one meaning."""

import re
from datetime import datetime
from email.message import Message
from typing import Annotated

from fastapi import Header, Request
from pydantic import Field, ValidatorFunctionWrapHandler, WrapValidator

from functions.api.problem import FieldError, ProblemError
from shared.callers.caller import Caller
from shared.events.envelope import UtcTime
from shared.wiring import Desk

RETRY_SECONDS = 10

_INSTANT = re.compile(r"\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}")


def _read_instant(value: object, read: ValidatorFunctionWrapHandler) -> datetime:
    # A bare number would be read as seconds since 1970, and so would a year.
    if not isinstance(value, str) or not _INSTANT.match(value):
        raise ValueError("expected a date and time with its zone, for example 2008-09-15T14:30:00Z")
    try:
        moment: datetime = read(value)
    except OverflowError as error:
        raise ValueError("it lies outside of the calendar in UTC") from error
    return moment


Moment = Annotated[UtcTime, WrapValidator(_read_instant)]
"""An instant written as RFC 3339 does; nothing else is taken for one."""

Shares = Annotated[float, Field(strict=True, gt=0, le=1e9, allow_inf_nan=False)]
Dollars = Annotated[float, Field(strict=True, ge=0, le=1e12, allow_inf_nan=False)]
DollarsPerShare = Annotated[float, Field(strict=True, gt=0, le=1e7, allow_inf_nan=False)]

IdempotencyKey = Annotated[
    str | None,
    Header(
        max_length=200,
        pattern=r"^[!-~]+$",
        description="Names the request, so that a retry repeats nothing; with other content it is refused.",
    ),
]


def own(caller: Caller, idempotency_key: str) -> tuple[str, ...]:
    """Give what tells a caller's key apart from the same key of another's."""
    return (idempotency_key,) if caller.owner is None else (caller.owner, idempotency_key)


def check_json(request: Request) -> None:
    """Refuse a body that is not declared to be JSON, which also keeps other sites' plain forms out.

    Raises
    ------
    FieldError
        With status 415.
    """
    declared = Message()
    declared["content-type"] = request.headers.get("content-type", "")
    if declared.get_content_type() != "application/json":
        raise FieldError("content-type", "must be application/json", 415)


def check_symbol(current: Desk, symbol: str, field: str, status: int = 422) -> None:
    """Refuse a symbol that the desk does not follow.

    Raises
    ------
    FieldError
        Names `field`, and what is followed.
    """
    if symbol not in current.watchlist.symbols:
        known = ", ".join(current.watchlist.symbols)
        raise FieldError(field, f"{symbol} is not on the watchlist ({known})", status)


async def check_room(current: Desk) -> None:
    """Turn new work away while what waits is older than a step has patience: its votes would all come too late.

    Raises
    ------
    ProblemError
        With status 503, and when to come again.
    """
    if (overload := await current.vitals.overload()) is not None:
        current.telemetry.count("finagent.refusals", {})
        raise ProblemError(503, f"the desk is overloaded: {overload}", {"Retry-After": str(RETRY_SECONDS)})
