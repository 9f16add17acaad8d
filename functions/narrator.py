"""The narrator: news, consensuses, assessed risks and suggested options; idle without a language model."""

import azure.functions as func

from functions.received import received
from shared.wiring import desk

blueprint = func.Blueprint()


@blueprint.function_name("narrator")
@blueprint.service_bus_topic_trigger(
    arg_name="message", topic_name="events", subscription_name="narrator", connection="SERVICEBUS"
)
async def narrator(message: func.ServiceBusMessage) -> None:
    """Handle an event on the events topic."""
    await desk().runtime.handle(received(message), "narrator")
