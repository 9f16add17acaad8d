"""Turns a Service Bus message, as a function is given it, into what the runtime handles."""

from datetime import UTC

import azure.functions as func

from shared.runtime import Received


def received(message: func.ServiceBusMessage, topic: str = "events") -> Received:
    """Take from a message what the desk goes by.

    Parameters
    ----------
    topic : str
        The topic that the function listens to; a delayed copy goes back there.
    """
    enqueued = message.enqueued_time_utc
    return Received(
        message_id=message.message_id,
        subject=message.subject or message.label or "",
        body=message.get_body(),
        delivery_count=message.delivery_count or 1,
        topic=topic,
        session_id=message.session_id,
        correlation_id=message.correlation_id or "",
        enqueued_at=None if enqueued is None else enqueued.replace(tzinfo=UTC),
    )
