"""The consensus: opens, counts and closes the rounds of every step."""

import azure.functions as func

from functions.received import received
from shared.wiring import desk

blueprint = func.Blueprint()


@blueprint.function_name("consensus")
@blueprint.service_bus_topic_trigger(
    arg_name="message", topic_name="events", subscription_name="consensus", connection="SERVICEBUS"
)
async def consensus(message: func.ServiceBusMessage) -> None:
    """Handle an event on the events topic."""
    await desk().runtime.handle(received(message), "consensus")
