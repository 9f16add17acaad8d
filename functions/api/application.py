"""The FastAPI app: routers, problem details, and a limit on bodies."""

from functools import cache

import azure.functions as func
from fastapi import FastAPI
from fastapi.responses import RedirectResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from functions.api import bars, desk, documentation, events, news, portfolios, problem, trades

MAX_BODY_BYTES = 1_000_000


@cache
def middleware() -> func.AsgiMiddleware:
    """Give the bridge between the platform's requests and the app, built at the first request."""
    return func.AsgiMiddleware(BodyLimit(application(), MAX_BODY_BYTES))


def application() -> FastAPI:
    """Build the app."""
    app = FastAPI(
        title="FinAgent",
        version="0.1.0",
        description="The desk's API: events by polling or stream, trades and their consensus, portfolios, bars, agents.",
        openapi_url="/api/openapi.json",
        docs_url=None,
        redoc_url=None,
        responses=problem.RESPONSES,
    )
    problem.install(app)
    for module in (events, trades, portfolios, news, bars, desk, documentation):
        app.include_router(module.router)

    @app.get("/", include_in_schema=False)
    async def home() -> RedirectResponse:
        return RedirectResponse("/api/docs")

    return app


class BodyLimit:
    """Answers 413 to a body that is too large, before anything reads it.

    The platform hands a body over in one piece, so its first message tells its size.
    """

    def __init__(self, app: ASGIApp, limit_bytes: int) -> None:
        self._app = app
        self._limit_bytes = limit_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or refuse it."""
        first = await receive()
        if len(first.get("body", b"")) > self._limit_bytes:
            refusal = problem.problem(413, f"body: more than {self._limit_bytes} bytes")
            await refusal(scope, receive, send)
            return
        pending: list[Message] = [first]

        async def resume() -> Message:
            return pending.pop() if pending else await receive()

        await self._app(scope, resume, send)
