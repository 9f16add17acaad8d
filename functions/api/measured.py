"""Measures what each request takes, for the ledger: by its route, so that there are few kinds of them."""

from starlette.types import ASGIApp, Receive, Scope, Send

from shared.errors import FinAgentError
from shared.wiring import desk

_FUNCTION = "api"
_NO_ROUTE = "(no route)"


class Measured:
    """Puts down each request that reaches the app."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""
        try:
            book = desk().book
        except FinAgentError:  # whoever needs a desk will say what is wrong with it
            await self._app(scope, receive, send)
            return
        with book.execution(_FUNCTION, _NO_ROUTE) as meter:
            try:
                await self._app(scope, receive, send)
            finally:
                # What the app found out is in the scope by now, whatever came of it.
                if (route := scope.get("route")) is not None:
                    meter.agent = f"{scope['method']} {route.path}"
                meter.owner = meter.owner or getattr(scope.get("caller"), "owner", None) or ""
