"""The oracle: the closes of market days, and trades."""

import azure.functions as func

from functions.received import received
from shared.wiring import desk

blueprint = func.Blueprint()


@blueprint.function_name("oracle")
@blueprint.service_bus_topic_trigger(
    arg_name="message", topic_name="events", subscription_name="oracle", connection="SERVICEBUS"
)
async def oracle(message: func.ServiceBusMessage) -> None:
    """Handle an event on the events topic."""
    await desk().runtime.handle(received(message), "oracle")


@blueprint.function_name("oracle_market")
@blueprint.service_bus_topic_trigger(
    arg_name="message",
    topic_name="market",
    subscription_name="oracle",
    connection="SERVICEBUS",
    is_sessions_enabled=True,
)
async def oracle_market(message: func.ServiceBusMessage) -> None:
    """Handle bars on the market topic, one session's in order."""
    await desk().runtime.handle(received(message, "market"), "oracle")
