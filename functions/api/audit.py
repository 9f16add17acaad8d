"""The audit log: who changed, or tried to change, what, by which route, and how it ended. Never what proves who it is.

These are log lines, not events: refused attempts must not make the desk's log grow, and whoever may write to it should
not be able to write here. In Azure, Application Insights keeps them.
"""

import logging
import re

from starlette.types import Scope

from functions.api.access import SAFE
from shared.callers.caller import NOBODY, Caller
from shared.callers.key import PREFIX

logger = logging.getLogger("finagent.audit")

_KEY = re.compile(rf"{PREFIX}[\w-]+")
_LONGEST_PATH = 300


def record(scope: Scope, status: int, location: str) -> None:
    """Write down an answered request that was to change something; other requests leave nothing.

    Parameters
    ----------
    location : str
        Where what it made can be found; empty where it made nothing.
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
