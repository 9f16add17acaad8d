"""The portfolio optimizer: assessed risks, and forecasts."""

import azure.functions as func

from functions.received import received
from shared.wiring import desk

blueprint = func.Blueprint()


@blueprint.function_name("portfolio_optimizer")
@blueprint.service_bus_topic_trigger(
    arg_name="message", topic_name="events", subscription_name="portfolio-optimizer", connection="SERVICEBUS"
)
async def portfolio_optimizer(message: func.ServiceBusMessage) -> None:
    """Handle an event on the events topic."""
    await desk().runtime.handle(received(message), "portfolio_optimizer")
