"""The administration service's list of a topic's subscriptions, as Atom over HTTP: their counts, and nothing else."""

import asyncio
from urllib.parse import urlsplit
from xml.sax.saxutils import escape

from tests.standins.service_bus.connection import Broker
from tests.standins.service_bus.frame import AmqpError
from tests.standins.service_bus.queue import Queue
from tests.standins.service_bus.token import JWT_WITHOUT_MANAGE, is_good
from tests.standins.service_bus.topic import NOT_FOUND

ATOM = "http://www.w3.org/2005/Atom"
SERVICE_BUS = "http://schemas.microsoft.com/netservices/2010/10/servicebus/connect"
COUNTS = "http://schemas.microsoft.com/netservices/2011/06/servicebus"


async def serve_counts(
    broker: Broker, first: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    """Answer the requests on a connection until the client goes."""
    while True:
        head = (first + await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        status, body = _answer(broker, head)
        kind = "application/atom+xml;type=feed;charset=utf-8"
        lines = (f"HTTP/1.1 {status}", f"Content-Type: {kind}", f"Content-Length: {len(body)}", "", "")
        writer.write("\r\n".join(lines).encode() + body)
        await writer.drain()
        first = b""


def _answer(broker: Broker, head: str) -> tuple[str, bytes]:
    request, *lines = head.split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    token = headers.get("authorization", "").removeprefix("Bearer ")
    if not is_good(token):
        return "401 Unauthorized", b"<Error><Code>401</Code><Detail>InvalidSignature</Detail></Error>"
    if token == JWT_WITHOUT_MANAGE:
        return "403 Forbidden", b"<Error><Code>403</Code><Detail>Manage claim is required.</Detail></Error>"
    try:
        return "200 OK", _feed(broker, urlsplit(request.split()[1]).path.strip("/"))
    except AmqpError as problem:
        return "404 Not Found", f"<Error><Code>404</Code><Detail>{escape(str(problem))}</Detail></Error>".encode()


def _feed(broker: Broker, path: str) -> bytes:
    topic, _, rest = path.partition("/")
    if rest.lower() != "subscriptions":
        raise AmqpError(NOT_FOUND, f"the stand-in serves only lists of subscriptions, not {path}")
    queues = [queue for _, queue in broker.namespace.topic(topic).routes]
    entries = "".join(map(_entry, queues))
    head = f'<feed xmlns="{ATOM}"><title type="text">Subscriptions</title><link rel="self" href="{escape(path)}"/>'
    return f"{head}{entries}</feed>".encode()


def _entry(queue: Queue) -> str:
    buried = 0 if queue.dead_letters is None else queue.dead_letters.active
    counts = f"<d:ActiveMessageCount>{queue.active}</d:ActiveMessageCount>"
    counts += f"<d:DeadLetterMessageCount>{buried}</d:DeadLetterMessageCount>"
    details = f'<CountDetails xmlns:d="{COUNTS}">{counts}</CountDetails>'
    total = f"<MessageCount>{len(queue.entries) + buried}</MessageCount>"
    description = f'<SubscriptionDescription xmlns="{SERVICE_BUS}">{total}{details}</SubscriptionDescription>'
    title = f'<title type="text">{escape(queue.path.rpartition("/")[2])}</title>'
    return f'<entry>{title}<content type="application/xml">{description}</content></entry>'
