"""The research agent: questions."""

import azure.functions as func

from functions.received import received
from shared.wiring import desk

blueprint = func.Blueprint()


@blueprint.function_name("research_agent")
@blueprint.service_bus_topic_trigger(
    arg_name="message", topic_name="events", subscription_name="research-agent", connection="SERVICEBUS"
)
async def research_agent(message: func.ServiceBusMessage) -> None:
    """Handle an event on the events topic."""
    await desk().runtime.handle(received(message), "research_agent")
