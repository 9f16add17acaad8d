"""The market analyst: bars in order, symbol shard by symbol shard, and trades."""

import azure.functions as func

from functions.received import received
from shared.wiring import desk

blueprint = func.Blueprint()


@blueprint.function_name("market_analyst")
@blueprint.service_bus_topic_trigger(
    arg_name="message", topic_name="events", subscription_name="market-analyst", connection="SERVICEBUS"
)
async def market_analyst(message: func.ServiceBusMessage) -> None:
    """Handle an event on the events topic."""
    await desk().runtime.handle(received(message), "market_analyst")


@blueprint.function_name("market_analyst_market")
@blueprint.service_bus_topic_trigger(
    arg_name="message",
    topic_name="market",
    subscription_name="market-analyst",
    connection="SERVICEBUS",
    is_sessions_enabled=True,
)
async def market_analyst_market(message: func.ServiceBusMessage) -> None:
    """Handle bars on the market topic, one session's in order."""
    await desk().runtime.handle(received(message, "market"), "market_analyst")
