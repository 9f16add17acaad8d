"""Who may do what over HTTP: the table of all operations, and the way in that every request to one takes."""

import logging
import math
import re
from collections.abc import Mapping
from typing import Annotated
from urllib.parse import urlsplit

from fastapi import Depends, Request
from starlette.datastructures import Headers
from starlette.types import Scope

from functions.api.problem import FieldError, ProblemError
from shared.callers.authority import Authority
from shared.callers.caller import LOCAL, NOBODY, Caller, Role
from shared.callers.key import PREFIX
from shared.errors import DeniedError, TransientError
from shared.wiring import Desk, desk

logger = logging.getLogger(__name__)

ROLES: Mapping[tuple[str, str], Role | None] = {
    ("GET", "/api/events"): Role.READER,
    ("GET", "/api/stream"): Role.READER,
    ("GET", "/api/events/{event_id}"): Role.READER,
    ("POST", "/api/trades"): Role.TRADER,
    ("GET", "/api/trades/{trade_id}"): Role.READER,
    ("GET", "/api/trades/{trade_id}/latency"): Role.READER,
    ("GET", "/api/trades/{trade_id}/why"): Role.READER,
    ("POST", "/api/options"): Role.TRADER,
    ("GET", "/api/options/{request_id}"): Role.READER,
    ("POST", "/api/questions"): Role.TRADER,
    ("GET", "/api/questions/{question_id}"): Role.READER,
    ("GET", "/api/portfolios"): Role.READER,
    ("PUT", "/api/portfolios/{name}"): Role.TRADER,
    ("GET", "/api/portfolios/{name}"): Role.READER,
    ("GET", "/api/portfolios/{name}/rebalance"): Role.READER,
    ("POST", "/api/news"): Role.OPERATOR,
    ("GET", "/api/bars/{symbol}"): Role.READER,
    ("GET", "/api/forecasts/{symbol}"): Role.READER,
    ("POST", "/api/replays"): Role.TRADER,
    ("GET", "/api/replays"): Role.READER,
    ("GET", "/api/replays/{replay_id}"): Role.READER,
    ("GET", "/api/agents"): Role.READER,
    ("GET", "/api/agents/{name}"): Role.READER,
    ("GET", "/api/agents/{name}/views/{subject}"): Role.READER,
    ("GET", "/api/agents/{name}/memory"): Role.READER,
    ("DELETE", "/api/memory"): Role.TRADER,
    ("GET", "/api/topology"): Role.READER,
    ("GET", "/api/schemas"): Role.READER,
    ("GET", "/api/schemas/{event_type}"): Role.READER,
    ("GET", "/api/costs"): Role.READER,
    ("POST", "/api/recoveries"): Role.OPERATOR,
    ("GET", "/api/dead-letters"): Role.OPERATOR,
    ("POST", "/api/dead-letters/{id}/redrive"): Role.OPERATOR,
    ("GET", "/api/health/live"): None,
    ("GET", "/api/health"): None,  # who is not known hears only whether it is ready
}
"""The role that each operation takes; None where nobody is asked."""

SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_NO_KEY = {"WWW-Authenticate": 'Bearer realm="finagent"'}
_BAD_KEY = {"WWW-Authenticate": 'Bearer realm="finagent", error="invalid_token"'}
_KEY_IN_ADDRESS = re.compile(rf"(^|&)(key|api_?key|(access_?)?token|authorization)=|{PREFIX}", re.IGNORECASE)


async def _who(request: Request) -> Caller:
    caller: Caller = request.scope["caller"]
    return caller


Calling = Annotated[Caller, Depends(_who)]
"""What an operation declares as `caller` to be given who calls; it is let in already."""


async def admit(scope: Scope, role: Role | None) -> None:
    """Note in the scope who calls, and let it in when it may do what takes `role`; None lets everybody in.

    Raises
    ------
    FieldError, ProblemError
        Nobody may send such a request; the caller is not known, may not do this, or asks too often.
    """
    current = desk()
    if scope["method"] not in SAFE:
        _check_origin(Headers(scope=scope), current)
    if current.authority is None:
        scope["caller"] = LOCAL
        return
    scope["caller"] = caller = await _identify(scope, current.authority)
    _check_rate(caller, current)
    if role is not None and not caller.may(role):
        if caller is NOBODY:
            raise ProblemError(401, "this takes a caller who is known", _NO_KEY)
        raise ProblemError(403, f"this takes the role {role}")


async def _identify(scope: Scope, authority: Authority) -> Caller:
    _check_address(scope)
    try:
        return await authority.identify(Headers(scope=scope))
    except DeniedError as error:
        raise ProblemError(401, str(error), _BAD_KEY) from error
    except TransientError as error:  # whose words are for who is known
        logger.warning("nobody is let in: %s", error)
        raise ProblemError(503, "who calls cannot be found out just now; try again", {"Retry-After": "1"}) from error


def _check_rate(caller: Caller, current: Desk) -> None:
    # Who is not known gets nothing that costs more than saying so.
    if caller is not NOBODY and (seconds := current.buckets.take(caller.id)):
        limit = f"more than {current.settings.requests_per_second:g} requests a second"
        raise ProblemError(429, limit, {"Retry-After": str(math.ceil(seconds))})


def _check_address(scope: Scope) -> None:
    if found := _KEY_IN_ADDRESS.search(scope["query_string"].decode("latin-1")):
        name = found[2] or "query"
        raise FieldError(name, "no key belongs into an address, which gets logged: send `Authorization: Bearer`", 400)


def _check_origin(headers: Mapping[str, str], current: Desk) -> None:
    """Refuse a change that a page of another site asks for: a browser adds the caller's cookies to it."""
    origin = headers.get("origin")
    if origin is None or origin in current.settings.cors:
        return
    if urlsplit(origin).netloc != headers.get("host"):
        raise ProblemError(403, "pages of other sites may change nothing here")
