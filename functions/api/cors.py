"""What pages of other sites may do: read and call, where the settings name their origin, and nothing else."""

from starlette.datastructures import Headers
from starlette.types import Scope

from shared.settings import Settings

_PREFLIGHT = {
    "access-control-allow-methods": "GET, HEAD, POST, PUT",
    "access-control-allow-headers": "authorization, content-type, idempotency-key, if-none-match, last-event-id",
    "access-control-max-age": "600",
}
_EXPOSED = {"access-control-expose-headers": "etag, location, retry-after, www-authenticate"}


def is_preflight(scope: Scope) -> bool:
    """Say whether a browser asks whether it may send another request."""
    return scope["method"] == "OPTIONS" and "access-control-request-method" in Headers(scope=scope)


def cors_headers(scope: Scope, settings: Settings) -> dict[str, str]:
    """Give what an answer to a request says to the browser about the page that it is from."""
    origin = Headers(scope=scope).get("origin") if settings.cors else None
    if origin is None or origin not in settings.cors:
        return {}
    allowed = {"access-control-allow-origin": origin} | (_PREFLIGHT if is_preflight(scope) else _EXPOSED)
    # The platform knows callers by their cookies, which a browser sends to another site only so.
    return allowed | ({"access-control-allow-credentials": "true"} if settings.auth == "entra" else {})


def vary(settings: Settings) -> dict[str, str]:
    """Give what an answer depends on besides its address, so that no cache gives it to another caller or page."""
    names = ["origin"] * bool(settings.cors) + ["authorization", "cookie"] * (settings.auth != "none")
    return {"vary": ", ".join(names)} if names else {}
