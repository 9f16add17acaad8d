"""The FastAPI app behind the HTTP function."""

from functools import cache

import azure.functions as func
from fastapi import FastAPI

from functions.api import (
    agents,
    bars,
    costs,
    dead_letters,
    desk,
    document,
    documentation,
    events,
    forecasts,
    latency,
    memory,
    news,
    options,
    portfolios,
    problem,
    questions,
    rebalances,
    recoveries,
    replays,
    trades,
    web,
    why,
)
from functions.api.gate import HEADERS, Gate
from functions.api.measured import Measured
from functions.api.traced import Traced
from shared import wiring
from shared.errors import FinAgentError
from shared.telemetry.none import OFF
from shared.telemetry.port import Telemetry

MAX_BODY_BYTES = 1_000_000


async def answer(request: func.HttpRequest, context: func.Context) -> func.HttpResponse:
    """Answer a request as the platform hands it over."""
    try:
        response: func.HttpResponse = await _bridge().handle_async(request, context)
    except ValueError:  # of the bridge itself, which parses addresses and X-Forwarded-Port; the gate lets none through
        refusal = problem.field_problem(400, "address", "it, or a header about it, cannot be read")
        return func.HttpResponse(bytes(refusal.body), status_code=400, headers=HEADERS, mimetype=problem.MEDIA_TYPE)
    return response


@cache
def _bridge() -> func.AsgiMiddleware:
    """Give the bridge between the platform's requests and the app, built at the first request."""
    return func.AsgiMiddleware(Gate(Traced(Measured(application()), _telemetry), MAX_BODY_BYTES))


def _telemetry() -> Telemetry:
    try:
        return wiring.desk().telemetry
    except FinAgentError:  # whoever needs a desk will say what is wrong with it
        return OFF


def application() -> FastAPI:
    """Build the app."""
    app = FastAPI(
        title="FinAgent",
        version="0.1.0",
        description="Events by polling or as a stream, trades and their consensus, portfolios, bars, agents.",
        openapi_url="/api/openapi.json",
        openapi_tags=document.TAGS,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        telemetry={"tracing": False, "metrics": False, "logs": False},  # the platform has its own
    )
    problem.install(app)
    for module in (
        events,
        trades,
        options,
        questions,
        portfolios,
        rebalances,
        news,
        bars,
        forecasts,
        replays,
        dead_letters,
        recoveries,
        costs,
        latency,
        why,
        agents,
        memory,
        desk,
    ):
        app.router.routes.extend(module.router.routes)  # including would match each request twice
    app.include_router(documentation.router)
    app.include_router(web.router)
    app.openapi = document.completing(app.openapi)  # type: ignore[method-assign]
    return app
