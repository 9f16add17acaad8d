"""Ingestion: timers that turn market data, news and positions into events."""

import azure.functions as func

from shared.wiring import desk

blueprint = func.Blueprint()


@blueprint.function_name("ingest_market")
@blueprint.timer_trigger(arg_name="timer", schedule="%FINAGENT_TICK%", run_on_startup=False)
async def ingest_market(timer: func.TimerRequest) -> None:
    """Ingest the bars that closed."""
    await desk().book.tick("ingest_market", desk().ingest.market_tick)


@blueprint.function_name("ingest_news")
@blueprint.timer_trigger(arg_name="timer", schedule="%FINAGENT_TICK%", run_on_startup=False)
async def ingest_news(timer: func.TimerRequest) -> None:
    """Ingest the headlines that were published."""
    await desk().book.tick("ingest_news", desk().ingest.news_tick)


@blueprint.function_name("ingest_positions")
@blueprint.timer_trigger(arg_name="timer", schedule="%FINAGENT_TICK%", run_on_startup=False)
async def ingest_positions(timer: func.TimerRequest) -> None:
    """Ingest what the account holds."""
    await desk().book.tick("ingest_positions", desk().ingest.positions_tick)
