"""What the Functions host tells the worker about a message, a timer or an HTTP request, in the shapes that it uses.

Taken from the host's conversion of .NET values (`GrpcMessageConversionExtensions`) and from the binding data of the
Service Bus extension 5.x and the timer extension, as the extension bundle 4 brings them.
"""

import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from shared.bus.port import Message
from tests.functions.protos import RpcHttp, TypedData

ENQUEUED = datetime(2026, 11, 20, 15, 4, 5, 123456)
"""Without a zone: the extension hands over a DateTime whose kind it left open. .NET writes seven decimals."""


def typed(value: object) -> TypedData:
    """Give a value as the host sends it: text, bytes and real numbers as such, all else as JSON."""
    match value:
        case None:
            return TypedData()
        case str():
            return TypedData(string=value)
        case bytes():
            return TypedData(bytes=value)
        case float():
            return TypedData(double=value)
        case _:
            return TypedData(json=json.dumps(value))


def bodies(body: bytes) -> dict[str, TypedData]:
    """Give the forms in which a message's body may come, by the field's name; bytes that are no text come as bytes."""
    forms = {"bytes": TypedData(bytes=body)}
    try:
        text = body.decode()
    except UnicodeDecodeError:
        return forms
    return {**forms, "string": TypedData(string=text), "json": TypedData(json=text)}


def service_bus(message: Message, delivery_count: int = 1, **changes: object) -> dict[str, TypedData]:
    """Give the trigger's metadata of a message; what the broker has no value for is left out.

    Parameters
    ----------
    delivery_count : int
        1 at the first delivery.
    **changes : object
        Other values for single properties; None leaves one out.
    """
    sent: dict[str, object] = {
        "DeliveryCount": delivery_count,
        "DeadLetterSource": None,
        "LockToken": "6c0d7a3c-95a4-4a0e-8a31-0e1d5a3a7f11",
        "ExpiresAtUtc": (ENQUEUED + timedelta(days=1)).isoformat() + "0",
        "ExpiresAt": (ENQUEUED + timedelta(days=1)).isoformat() + "0+00:00",
        "EnqueuedTimeUtc": ENQUEUED.isoformat() + "0",
        "EnqueuedTime": ENQUEUED.isoformat() + "0+00:00",
        "MessageId": message.message_id,
        "ContentType": "application/cloudevents+json",
        "ReplyTo": None,
        "SequenceNumber": 7,
        "To": None,
        "Subject": message.subject,
        "Label": message.subject,
        "CorrelationId": message.correlation_id,
        "ApplicationProperties": {},
        "UserProperties": {},
        "SessionId": message.session_id,
        "PartitionKey": message.session_id,
        "Client": {"FullyQualifiedNamespace": "desk.servicebus.windows.net", "IsClosed": False},
        "MessageActions": {},
        "sys": {"MethodName": "function", "UtcNow": ENQUEUED.isoformat() + "Z", "RandGuid": "7a1b"},
    }
    # Times are no text to the host: it sends them as JSON of a string.
    times = {"ExpiresAtUtc", "ExpiresAt", "EnqueuedTimeUtc", "EnqueuedTime"}
    given = {name: value for name, value in (sent | changes).items() if value is not None}
    return {name: TypedData(json=json.dumps(value)) if name in times else typed(value) for name, value in given.items()}


def timer(*, past_due: bool, monitored: bool = True) -> TypedData:
    """Give a timer's tick; a schedule of less than a minute is not monitored and has no status."""
    status = {
        "Last": "2026-11-20T15:04:00.0012345+00:00",
        "LastUpdated": "2026-11-20T15:04:00.0012345+00:00",
        "Next": "2026-11-20T15:05:00+00:00",
    }
    tick = {
        "Schedule": {"AdjustForDST": True},
        "ScheduleStatus": status if monitored else None,
        "IsPastDue": past_due,
    }
    return TypedData(json=json.dumps(tick))


def http(
    method: str, address: str, body: bytes = b"", headers: Mapping[str, str] | None = None
) -> tuple[TypedData, dict[str, TypedData]]:
    """Give a request and its metadata.

    Header names are lower-case, query parameters without a value are left out (the address has them), and there is no
    body unless its length is told and above zero.
    """
    parts = urlsplit(address)
    path = parts.path.removeprefix("/")
    sent: dict[str, Any] = {
        "method": method,
        "url": address,
        "headers": {name.lower(): value for name, value in ({"Host": parts.netloc} | dict(headers or {})).items()},
        "query": {name: value for name, value in parse_qsl(parts.query) if value},
        "params": {"path": path} if path else {},
        "body": TypedData(bytes=body) if body else TypedData(),
    }
    return TypedData(http=RpcHttp(**sent)), {"Headers": typed(sent["headers"]), "Query": typed(sent["query"])}
