"""The projector: keeps the read models up to date."""

import azure.functions as func

from functions.received import received
from shared.wiring import desk

blueprint = func.Blueprint()


@blueprint.function_name("projector")
@blueprint.service_bus_topic_trigger(
    arg_name="message", topic_name="events", subscription_name="projector", connection="SERVICEBUS"
)
async def projector(message: func.ServiceBusMessage) -> None:
    """Fold an event of the events topic."""
    await desk().runtime.fold(received(message), "projector", desk().projector.project)


@blueprint.function_name("projector_market")
@blueprint.service_bus_topic_trigger(
    arg_name="message",
    topic_name="market",
    subscription_name="projector",
    connection="SERVICEBUS",
    is_sessions_enabled=True,
)
async def projector_market(message: func.ServiceBusMessage) -> None:
    """Fold bars of the market topic."""
    await desk().runtime.fold(received(message, "market"), "projector", desk().projector.project)
