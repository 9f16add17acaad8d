"""Replay: backtests that were asked for, each played as a whole."""

import azure.functions as func

from functions.received import received
from shared.wiring import desk

blueprint = func.Blueprint()


@blueprint.function_name("replay")
@blueprint.service_bus_topic_trigger(
    arg_name="message", topic_name="events", subscription_name="replay", connection="SERVICEBUS"
)
async def replay(message: func.ServiceBusMessage) -> None:
    """Handle an event on the events topic."""
    await desk().runtime.handle(received(message), "replay")
