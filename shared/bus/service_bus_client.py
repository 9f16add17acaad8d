"""Ways into one Service Bus namespace: senders, receivers and counts, opened with a key or an identity."""

import asyncio
from contextlib import suppress
from functools import cached_property
from typing import TYPE_CHECKING, Any

from shared.bus.service_bus_error import ours
from shared.errors import InvalidError

if TYPE_CHECKING:
    from azure.core.credentials_async import AsyncTokenCredential
    from azure.servicebus.aio import ServiceBusClient, ServiceBusReceiver, ServiceBusSender
    from azure.servicebus.aio.management import ServiceBusAdministrationClient

RETRIES, RETRY_SECONDS, LONGEST_RETRY_SECONDS = 2, 0.2, 2.0
"""The SDK's own repetitions: enough for a connection that was reset; what lasts longer is its caller's to repeat."""
LISTEN_SECONDS = 0.05
"""How long a receiver listens at a stretch: what it has to send, such as a settlement, waits for the end of one."""


class Namespace:
    """A namespace, connected at first use.

    Parameters
    ----------
    connection : str
        A connection string, or the namespace's host name, for example `desk.servicebus.windows.net`: then by identity.
    timeout_seconds : float
        For one attempt of anything.
    administration_url : str, optional
        Where counts are asked for when not at the namespace itself, as with an emulator.
    credential : AsyncTokenCredential, optional
        The identity; by default whatever `DefaultAzureCredential` finds, on Azure the managed identity.
    """

    def __init__(
        self,
        connection: str,
        timeout_seconds: float,
        administration_url: str | None = None,
        credential: "AsyncTokenCredential | None" = None,
    ) -> None:
        self.timeout_seconds = timeout_seconds
        self._connection = connection
        self._administration_url = administration_url
        self._given = credential

    async def sender(self, topic: str) -> "ServiceBusSender":
        """Give an open sender: one that is not open loses what is sent."""
        sender = self._client.get_topic_sender(topic)
        await self.opened(sender, f"topic {topic}")
        return sender

    async def opened(self, handler: "ServiceBusSender | ServiceBusReceiver", what: str) -> None:
        """Open a sender or receiver, or close it again for good and raise."""
        try:
            await self.reopened(handler, what)
        except BaseException:
            await self.close_quietly(handler)
            raise

    async def reopened(self, handler: "ServiceBusSender | ServiceBusReceiver", what: str) -> None:
        """Open a sender or receiver if it is not open, say because its connection was lost."""
        with ours(what):
            async with asyncio.timeout(self.timeout_seconds * (RETRIES + 2)):
                await handler.__aenter__()

    def receiver(self, subscription: str, **options: Any) -> "ServiceBusReceiver":
        """Give a receiver, not yet open, for `topic/subscription`."""
        topic, _, name = subscription.partition("/")
        return self._client.get_subscription_receiver(topic, name, socket_timeout=LISTEN_SECONDS, **options)

    async def counts(self, topic: str) -> dict[str, int]:
        """Give the number of active messages of each subscription of a topic; locked ones count."""
        found = {}
        with ours(f"counts of topic {topic}"):
            async with asyncio.timeout(self.timeout_seconds * (RETRIES + 1)):
                async for each in self._administration.list_subscriptions_runtime_properties(topic):
                    found[f"{topic}/{each.name}"] = each.active_message_count or 0
        return found

    async def close_quietly(self, handler: "ServiceBusSender | ServiceBusReceiver") -> None:
        """Close what may be broken already."""
        with suppress(Exception):
            async with asyncio.timeout(self.timeout_seconds):
                await handler.close()

    async def close(self) -> None:
        """Let go of everything that was opened."""
        owned = ("_client", "_administration") if self._given else ("_client", "_administration", "_credential")
        for name in owned:
            if (opened := self.__dict__.pop(name, None)) is not None:
                await opened.__aexit__(None, None, None)

    @property
    def _by_identity(self) -> bool:
        return "=" not in self._connection

    @cached_property
    def _client(self) -> "ServiceBusClient":
        from azure.servicebus.aio import ServiceBusClient

        options: dict[str, Any] = {
            "retry_total": RETRIES,
            "retry_backoff_factor": RETRY_SECONDS,
            "retry_backoff_max": LONGEST_RETRY_SECONDS,
            "try_timeout": self.timeout_seconds,
            "auth_timeout": self.timeout_seconds,
        }
        if self._by_identity:
            return ServiceBusClient(self._connection, self._credential, **options)
        try:
            return ServiceBusClient.from_connection_string(self._connection, **options)
        except ValueError as error:
            # Not what it says: it holds a key.
            raise InvalidError(f"the connection string of Service Bus is malformed: {error}") from error

    @cached_property
    def _administration(self) -> "ServiceBusAdministrationClient":
        from shared.bus.service_bus_administration import administration_client

        credential = self._credential if self._by_identity else None
        return administration_client(self._connection, credential, self.timeout_seconds, self._administration_url)

    @cached_property
    def _credential(self) -> "AsyncTokenCredential":
        if self._given is not None:
            return self._given
        from azure.identity.aio import DefaultAzureCredential

        return DefaultAzureCredential()
