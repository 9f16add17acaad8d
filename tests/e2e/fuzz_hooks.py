"""What schemathesis loads: no request waits for events that may never come, or has years of history played."""

from typing import Any

import schemathesis
from schemathesis import HookContext

SECONDS = 0.01
MOST_DAYS, LONGEST_DAYS = 10, 5_000


@schemathesis.hook
def before_call(_context: HookContext, case: Any, kwargs: dict[str, Any]) -> None:
    """Cut a wait, or a history, that is allowed short."""
    if case.path == "/api/replays" and isinstance(case.body, dict):
        days = case.body.get("lookback_days", 400)
        if isinstance(days, int) and not isinstance(days, bool) and MOST_DAYS < days <= LONGEST_DAYS:
            case.body = {**case.body, "lookback_days": MOST_DAYS}
        return
    if case.path not in ("/api/events", "/api/stream") or case.method.upper() not in ("GET", "HEAD"):
        return
    query = dict(case.query or {})
    try:
        allowed = 0 <= float(query.get("wait", 20)) <= 25
    except (TypeError, ValueError):
        return
    if allowed:
        case.query = {**query, "wait": SECONDS}
