"""The administration client, which alone knows how many messages wait. Imported at first use: it is heavy."""

from typing import Any

from azure.core.credentials_async import AsyncTokenCredential
from azure.core.pipeline.transport import AioHttpTransport
from azure.servicebus.aio.management import ServiceBusAdministrationClient


def administration_client(
    connection: str, credential: AsyncTokenCredential | None, timeout_seconds: float, url: str | None
) -> ServiceBusAdministrationClient:
    """Give a client for a namespace.

    Parameters
    ----------
    connection : str
        A connection string, or with `credential` the namespace's host name.
    url : str or None
        Where it really is, when not at the namespace by HTTPS: emulators speak plain HTTP on a port of their own.
    """
    limits: dict[str, Any] = {"connection_timeout": timeout_seconds, "read_timeout": timeout_seconds}
    options: dict[str, Any] = {"retry_total": 1, "retry_backoff_factor": 0.2}
    options["transport"] = AioHttpTransport(**limits) if url is None else _PlainTransport(url, **limits)
    if credential is None:
        return ServiceBusAdministrationClient.from_connection_string(connection, **options)
    return ServiceBusAdministrationClient(connection, credential, **options)


class _PlainTransport(AioHttpTransport):  # type: ignore[misc] # azure-core gives it out lazily, without its type
    def __init__(self, url: str, **limits: Any) -> None:
        super().__init__(**limits)
        self._url = url.rstrip("/")

    async def send(self, request: Any, **options: Any) -> Any:
        """Send a request to where the namespace really is."""
        path = request.url.partition("://")[2].partition("/")[2]
        request.url = f"{self._url}/{path}"
        return await super().send(request, **options)
