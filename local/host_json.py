"""What the embedded host takes from `host.json`."""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from shared.errors import InvalidError

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


def read(path: Path) -> HostOptions:
    """Read `host.json`.

    Raises
    ------
    InvalidError
        It is not JSON, or a time span is not `[d.]hh:mm:ss`.
    """
    try:
        document: dict[str, Any] = json.loads(path.read_text("utf-8"))
    except ValueError as error:
        raise InvalidError(f"{path.name}: not JSON: {error}") from error
    extensions = document.get("extensions", {})
    bus = extensions.get("serviceBus", {})
    return HostOptions(
        route_prefix=str(extensions.get("http", {}).get("routePrefix", "api")),
        function_timeout_seconds=_seconds(document.get("functionTimeout", "00:30:00")),
        max_concurrent_calls=int(bus.get("maxConcurrentCalls", 16)),
        max_concurrent_sessions=int(bus.get("maxConcurrentSessions", 8)),
        max_auto_lock_renewal_seconds=_seconds(bus.get("maxAutoLockRenewalDuration", "00:05:00")),
    )


def _seconds(span: str) -> float:
    match = _SPAN.fullmatch(span)
    if match is None:
        raise InvalidError(f"host.json: {span} is not a time span such as 00:05:00")
    days, hours, minutes, seconds = (int(part or 0) for part in match.groups())
    return ((days * 24 + hours) * 60 + minutes) * 60 + float(seconds)
