"""What the embedded host takes from `host.json`."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, Field, ValidationError

from shared.errors import InvalidError
from shared.events.catalogue import describe

_SPAN = re.compile(r"(?:(\d+)\.)?(\d{1,2}):(\d{2}):(\d{2})")


@dataclass(frozen=True, slots=True)
class HostOptions:
    """The options that change what a function sees; names are those of `host.json`.

    Attributes
    ----------
    function_timeout_seconds : float
        How long an invocation may take.
    max_auto_lock_renewal_seconds : float
        How long a message's lock is renewed while its function runs.
    """

    route_prefix: str
    function_timeout_seconds: float
    max_concurrent_calls: int
    max_concurrent_sessions: int
    max_auto_lock_renewal_seconds: float


def _seconds(span: object) -> float:
    match = _SPAN.fullmatch(str(span))
    if match is None:
        raise ValueError(f"{span} is not a time span such as 00:05:00")
    days, hours, minutes, seconds = (int(part or 0) for part in match.groups())
    return ((days * 24 + hours) * 60 + minutes) * 60 + float(seconds)


Span = Annotated[float, BeforeValidator(_seconds)]


class _ServiceBus(BaseModel):
    maxConcurrentCalls: Annotated[int, Field(ge=1)] = 16  # noqa: N815 - the names of host.json
    maxConcurrentSessions: Annotated[int, Field(ge=1)] = 8  # noqa: N815
    maxAutoLockRenewalDuration: Span = 300.0  # noqa: N815


class _Http(BaseModel):
    routePrefix: str = "api"  # noqa: N815


class _Extensions(BaseModel):
    http: _Http = _Http()
    serviceBus: _ServiceBus = _ServiceBus()  # noqa: N815


class _Document(BaseModel):
    functionTimeout: Span = 1_800.0  # noqa: N815
    extensions: _Extensions = _Extensions()


def read(path: Path) -> HostOptions:
    """Read `host.json`; what it does not say is as the Functions host has it.

    Raises
    ------
    InvalidError
        It is not JSON, a time span is not `[d.]hh:mm:ss`, or a number is out of range; the key is named.
    """
    try:
        document = _Document.model_validate_json(path.read_text("utf-8"))
    except ValidationError as error:
        raise InvalidError(f"{path.name}: {describe(error)}") from error
    bus = document.extensions.serviceBus
    return HostOptions(
        route_prefix=document.extensions.http.routePrefix,
        function_timeout_seconds=document.functionTimeout,
        max_concurrent_calls=bus.maxConcurrentCalls,
        max_concurrent_sessions=bus.maxConcurrentSessions,
        max_auto_lock_renewal_seconds=bus.maxAutoLockRenewalDuration,
    )
