"""The sentiment tracker: news and trades."""

import azure.functions as func

from functions.received import received
from shared.wiring import desk

blueprint = func.Blueprint()


@blueprint.function_name("sentiment_tracker")
@blueprint.service_bus_topic_trigger(
    arg_name="message", topic_name="events", subscription_name="sentiment-tracker", connection="SERVICEBUS"
)
async def sentiment_tracker(message: func.ServiceBusMessage) -> None:
    """Handle an event on the events topic."""
    await desk().runtime.handle(received(message), "sentiment_tracker")
