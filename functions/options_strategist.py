"""The options strategist: requests for an option strategy."""

import azure.functions as func

from functions.received import received
from shared.wiring import desk

blueprint = func.Blueprint()


@blueprint.function_name("options_strategist")
@blueprint.service_bus_topic_trigger(
    arg_name="message", topic_name="events", subscription_name="options-strategist", connection="SERVICEBUS"
)
async def options_strategist(message: func.ServiceBusMessage) -> None:
    """Handle an event on the events topic."""
    await desk().runtime.handle(received(message), "options_strategist")
