"""What the embedded host takes from `host.json`, and from the app settings that override it."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from shared.errors import InvalidError

_SPAN = re.compile(r"(?:(\d+)\.)?(\d{1,2}):(\d{2}):(\d{2})")
_OVERRIDE = "azurefunctionsjobhost"
_SEPARATOR = re.compile("__|:")


@dataclass(frozen=True, slots=True)
class HostOptions:
    """The options that change what a function sees; names are those of `host.json`.

    Attributes
    ----------
    function_timeout_seconds : float
        How long an invocation may take.
    max_auto_lock_renewal_seconds : float
        How long a message's lock is renewed while its function runs.
    session_idle_seconds : float
        How long a session is kept while nothing comes in it.
    max_batch_size, min_batch_size : int
        How many messages a function of cardinality many is given at a time; fewer when no more came within
        `max_batch_wait_seconds`.
    """

    route_prefix: str
    function_timeout_seconds: float
    max_concurrent_calls: int
    max_concurrent_sessions: int
    max_auto_lock_renewal_seconds: float
    session_idle_seconds: float
    max_batch_size: int
    min_batch_size: int
    max_batch_wait_seconds: float


def _seconds(span: object) -> float:
    match = _SPAN.fullmatch(str(span))
    if match is None:
        raise ValueError(f"{span} is not a time span such as 00:05:00")
    days, hours, minutes, seconds = (int(part or 0) for part in match.groups())
    return ((days * 24 + hours) * 60 + minutes) * 60 + float(seconds)


Span = Annotated[float, BeforeValidator(_seconds)]
Count = Annotated[int, Field(ge=1)]


class _Section(BaseModel):
    # Its keys are written in any case, and named in errors as the documentation spells them.
    model_config = ConfigDict(alias_generator=str.lower, loc_by_alias=False)


class _ServiceBus(_Section):
    maxConcurrentCalls: Count = 16  # noqa: N815 - the names of host.json
    maxConcurrentSessions: Count = 8  # noqa: N815
    maxAutoLockRenewalDuration: Span = 300.0  # noqa: N815
    sessionIdleTimeout: Span = 60.0  # noqa: N815
    maxMessageBatchSize: Count = 1_000  # noqa: N815
    minMessageBatchSize: Count = 1  # noqa: N815
    maxBatchWaitTime: Span = 30.0  # noqa: N815

    @model_validator(mode="after")
    def _has_room_for_a_batch(self) -> Self:
        if self.minMessageBatchSize > self.maxMessageBatchSize:
            raise ValueError("minMessageBatchSize is above maxMessageBatchSize")
        return self


class _Http(_Section):
    routePrefix: str = "api"  # noqa: N815


class _Extensions(_Section):
    http: _Http = _Http()
    serviceBus: _ServiceBus = _ServiceBus()  # noqa: N815


class _Document(_Section):
    functionTimeout: Span = 1_800.0  # noqa: N815
    extensions: _Extensions = _Extensions()


def read(path: Path, settings: Mapping[str, str]) -> HostOptions:
    """Read `host.json` with its overrides; what neither says is as the Functions host has it.

    Parameters
    ----------
    settings : mapping of str to str
        App settings. `AzureFunctionsJobHost__extensions__serviceBus__maxConcurrentCalls` overrides that key; a colon
        separates as well as two underscores, keys are in any case, and an empty value counts as not given.

    Raises
    ------
    InvalidError
        It is not JSON, a time span is not `[d.]hh:mm:ss`, or a number is out of range; the key is named, or the
        setting that gave it.
    """
    overrides = _overrides(settings)
    try:
        content = _lowered(json.loads(path.read_text("utf-8")))
        document = _Document.model_validate(_overridden(content, overrides) if overrides else content)
    except ValidationError as error:
        raise InvalidError(_say(path.name, error, overrides)) from error
    except ValueError as error:
        raise InvalidError(f"{path.name}: {error}") from error
    bus = document.extensions.serviceBus
    return HostOptions(
        route_prefix=document.extensions.http.routePrefix,
        function_timeout_seconds=document.functionTimeout,
        max_concurrent_calls=bus.maxConcurrentCalls,
        max_concurrent_sessions=bus.maxConcurrentSessions,
        max_auto_lock_renewal_seconds=bus.maxAutoLockRenewalDuration,
        session_idle_seconds=bus.sessionIdleTimeout,
        max_batch_size=bus.maxMessageBatchSize,
        min_batch_size=bus.minMessageBatchSize,
        max_batch_wait_seconds=bus.maxBatchWaitTime,
    )


type _Overrides = dict[tuple[str, ...], tuple[str, str]]


def _overrides(settings: Mapping[str, str]) -> _Overrides:
    """Give each override's keys, with the setting's name and value."""
    found: _Overrides = {}
    for name, value in sorted(settings.items()):
        first, *keys = _SEPARATOR.split(name.lower())
        if first == _OVERRIDE and keys and value:
            found[tuple(keys)] = (name, value)
    return found


def _lowered(content: Any) -> Any:
    if isinstance(content, dict):
        return {key.lower(): _lowered(value) for key, value in content.items()}
    return content


def _overridden(content: Any, overrides: _Overrides) -> Any:
    for keys, (name, value) in overrides.items():
        section = content
        for key in keys[:-1]:
            section = section.setdefault(key, {}) if isinstance(section, dict) else None
        if not isinstance(section, dict):
            raise InvalidError(f"{name}: there is no such section to set a key in")
        section[keys[-1]] = value
    return content


def _say(file_name: str, error: ValidationError, overrides: _Overrides) -> str:
    problems = []
    for problem in error.errors():
        keys = tuple(str(part).lower() for part in problem["loc"])
        where = overrides[keys][0] if keys in overrides else ".".join([file_name, *map(str, problem["loc"])])
        problems.append(f"{where}: {problem['msg'].removeprefix('Value error, ')}")
    return "; ".join(problems)
