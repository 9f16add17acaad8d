"""The risk manager: portfolios and trades."""

import azure.functions as func

from functions.received import received
from shared.wiring import desk

blueprint = func.Blueprint()


@blueprint.function_name("risk_manager")
@blueprint.service_bus_topic_trigger(
    arg_name="message", topic_name="events", subscription_name="risk-manager", connection="SERVICEBUS"
)
async def risk_manager(message: func.ServiceBusMessage) -> None:
    """Handle an event on the events topic."""
    await desk().runtime.handle(received(message), "risk_manager")
