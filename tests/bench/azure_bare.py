"""Microsoft's SDKs doing what our adapters do, with nothing around it: no mapped errors, no locks, no reading back."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import batched, count, islice
from typing import Any, Self

from azure.cosmos.aio import ContainerProxy, CosmosClient
from azure.servicebus import ServiceBusMessage
from azure.servicebus.aio import ServiceBusClient, ServiceBusReceiver, ServiceBusSender

from shared.store.cosmos_container import EVENTS, STATE, instant
from shared.store.receipt import encode_outputs
from tests.bench import azure_ours
from tests.bench.azure_ours import BATCH, decision
from tests.bench.azure_services import BARE
from tests.builders import a_trade_request


class BareBus:
    """One open sender and one open receiver of the SDK."""

    def __init__(self, sender: ServiceBusSender, receiver: ServiceBusReceiver) -> None:
        self._sender = sender
        self._receiver = receiver
        self._numbers = count()

    @classmethod
    @asynccontextmanager
    async def opened(cls, about: dict[str, str]) -> AsyncIterator[Self]:
        """Connect."""
        async with (
            ServiceBusClient.from_connection_string(about["bus"]) as client,
            client.get_topic_sender(BARE) as sender,
            client.get_subscription_receiver(BARE, "reader") as receiver,
        ):
            yield cls(sender, receiver)

    async def publish(self, number: int) -> None:
        """Send so many, each in a call."""
        for each in islice(self._numbers, number):
            await self._sender.send_messages(_message(each))

    async def publish_batched(self, number: int) -> None:
        """Send so many, `BATCH` in a call."""
        for numbers in batched(islice(self._numbers, number), BATCH, strict=True):
            batch = await self._sender.create_message_batch()
            for each in numbers:
                batch.add_message(_message(each))
            await self._sender.send_messages(batch)

    async def receive(self, number: int) -> None:
        """Receive and complete so many."""
        while number:
            for each in await self._receiver.receive_messages(1):
                await self._receiver.complete_message(each)
                number -= 1


class BareStore:
    """Two containers of the SDK."""

    def __init__(self, events: ContainerProxy, state: ContainerProxy) -> None:
        self._events = events
        self._state = state
        self._numbers = count()

    @classmethod
    @asynccontextmanager
    async def opened(cls, about: dict[str, str]) -> AsyncIterator[Self]:
        """Connect."""
        async with CosmosClient(about["cosmos"], about["key"]) as client:
            database = client.get_database_client("finagent")
            yield cls(database.get_container_client(EVENTS), database.get_container_client(STATE))

    async def append(self, number: int) -> None:
        """Create so many items, each in a partition of its own."""
        for each in islice(self._numbers, number):
            await self._events.create_item(_item(each, f"bare-{each}"), no_response=True)

    async def append_batched(self, number: int) -> None:
        """Create so many items, `BATCH` in a transaction."""
        for numbers in batched(islice(self._numbers, number), BATCH, strict=True):
            stream = f"bare-{numbers[0]}"
            await self._events.execute_item_batch([("create", (_item(each, stream),)) for each in numbers], stream)

    async def commit(self, number: int) -> None:
        """Create so many pairs of items in a transaction each."""
        for each in islice(self._numbers, number):
            stream = f"bare-{each}"
            items = _decision(stream)
            await self._state.execute_item_batch([("create", (item,)) for item in items], stream)


def _message(number: int) -> ServiceBusMessage:
    ours = azure_ours.message(number, BARE)
    return ServiceBusMessage(
        ours.body, message_id=ours.message_id, subject=ours.subject, correlation_id=ours.correlation_id
    )


def _item(number: int, stream: str) -> dict[str, Any]:
    event = a_trade_request(id=f"bare-{number}", stream=stream)
    return {
        "id": event.id,
        "stream": stream,
        "type": event.type,
        "correlation": event.correlationid,
        "run": event.run,
        "moment": instant(event.time),
        "token": "0123456789abcdef",
        "body": event.json_bytes.decode(),
    }


def _decision(stream: str) -> tuple[dict[str, Any], dict[str, Any]]:
    commit = decision(stream)
    outputs = encode_outputs(commit.outputs).decode()
    return (
        {"id": f"receipt|{commit.event_id}", "stream": stream, "token": "0123456789abcdef", "outputs": outputs},
        {"id": "snapshot", "stream": stream, "body": azure_ours.STATE.decode()},
    )
