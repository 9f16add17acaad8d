"""Registers the functions; the Azure Functions runtime, and the embedded host, look for this file."""

import azure.functions as func

from functions import (
    api,
    consensus,
    grading,
    ingest,
    market_analyst,
    narrator,
    options_strategist,
    oracle,
    portfolio_optimizer,
    projector,
    replay,
    research_agent,
    risk_manager,
    sentiment_tracker,
    sweep,
)

app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)

for module in (
    market_analyst,
    risk_manager,
    sentiment_tracker,
    options_strategist,
    oracle,
    portfolio_optimizer,
    research_agent,
    consensus,
    narrator,
    projector,
    ingest,
    sweep,
    grading,
    replay,
    api,
):
    app.register_functions(module.blueprint)
