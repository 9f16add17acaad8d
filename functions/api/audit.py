"""The audit: who changed, or tried to change, what, by which route, and how it ended. Never what proves who it is.

Each attempt leaves a log line; each change leaves an event, too, which is kept and can be asked for. Refused attempts
leave no event, so that nobody can make the desk's log grow who may not change anything.
"""

import logging
import re
from http import HTTPStatus
from uuid import uuid4

from starlette.types import Scope

from functions.api.access import SAFE
from shared.callers.caller import NOBODY, Caller
from shared.callers.key import PREFIX
from shared.clock import WallClock
from shared.events.change import Change, ChangeMade, stream_of
from shared.events.envelope import derive_id
from shared.wiring import desk

logger = logging.getLogger("finagent.audit")

_KEY = re.compile(rf"{PREFIX}[\w-]+")
_LONGEST_PATH = 300


async def record(scope: Scope, status: int, location: str) -> None:
    """Write down a request that was to change something, before it is answered; other requests leave nothing.

    Parameters
    ----------
    location : str
        Where what it made can be found; empty where it made nothing.

    Raises
    ------
    FinAgentError
        It changed something, and the event about it could not be stored; the log line is written.
    """
    if scope["method"] in SAFE:
        return
    caller: Caller = scope.get("caller", NOBODY)
    path = _KEY.sub("(a key)", scope["path"])[:_LONGEST_PATH]
    logger.info(
        "%s %r by %s of %s: %d %s",
        scope["method"],
        path,
        caller.id or "nobody",
        caller.owner or "the desk",
        status,
        location,
        extra={"caller": caller.id, "owner": caller.owner or "", "path": path, "status": status},
    )
    if status and HTTPStatus(status).is_success and caller is not NOBODY:
        await desk().runtime.emit([_event(caller, f"{scope['method']} {path}", location)])


def _event(caller: Caller, action: str, location: str) -> ChangeMade:
    # What makes something anew says where: asked again, it is the same, and was changed once.
    name = derive_id(ChangeMade.name(), caller.id, action, location) if location else str(uuid4())
    return ChangeMade.first(
        id=name,
        source="api",
        stream=stream_of(caller.owner),
        time=desk().clock.now(),
        owner=caller.owner,
        data=Change(caller=caller.id, action=action, made=location, at=WallClock().now()),
    )
