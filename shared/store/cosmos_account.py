"""An account of Azure Cosmos DB: one client per process, and every call bounded in time, charged and translated.

The SDK sends writes again after a dropped connection, whatever its settings; so nothing here is written that could not
be written twice: items are created under their own ids and carry a token of the call that wrote them.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from http import HTTPStatus
from typing import Any, Self

from azure.core.credentials_async import AsyncTokenCredential
from azure.core.exceptions import AzureError, HttpResponseError
from azure.cosmos.aio import ContainerProxy, CosmosClient
from azure.cosmos.exceptions import CosmosBatchOperationError, CosmosHttpResponseError

from shared.errors import ConflictError, FinAgentError, InvalidError, MissingError, TransientError

type Charge = Callable[[str, float], None]
"""Told of every answered call: the operation's name and its request units."""
type Hook = Callable[[Mapping[str, str], object], None]
"""What a call hands to the SDK as `response_hook`."""
type Operation = tuple[str, tuple[Any, ...]] | tuple[str, tuple[Any, ...], dict[str, Any]]
"""One operation of a transactional batch, as the SDK takes it."""
type Row = dict[str, Any]
"""A result of a query."""

_CHARGE = "x-ms-request-charge"
_THROTTLED_SECONDS = 5
_NO_CONTAINER, _FAILOVER, _SESSION_BEHIND = 1003, 3, 1002


class CosmosAccount:
    """A database of an account.

    Parameters
    ----------
    endpoint : str
        The account's URL.
    credential : str, AsyncTokenCredential or None
        Its key, or an identity with the role of a data contributor; None for whatever `DefaultAzureCredential` finds,
        on Azure the managed identity.
    database : str
        The database, which exists already; neither it nor its containers are made here.
    charge : callable
        Told the request units of every call.
    budget_seconds : float
        The longest that one call may take, retries and waiting for a busy service included.
    """

    def __init__(
        self,
        endpoint: str,
        credential: str | AsyncTokenCredential | None,
        database: str = "finagent",
        *,
        charge: Charge = lambda operation, units: None,
        budget_seconds: float = 10,
    ) -> None:
        self._endpoint, self._credential = endpoint, credential
        self.database = database
        self._charge = charge
        self._budget_seconds = budget_seconds
        self._client: CosmosClient | None = None
        self._own: AsyncTokenCredential | None = None
        self._containers: dict[str, tuple[ContainerProxy, str]] = {}
        self._opening = asyncio.Lock()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Let go of the connections."""
        client, self._client = self._client, None
        self._containers.clear()
        if client is not None:
            await client.close()
        own, self._own = self._own, None
        if own is not None:
            await own.close()

    async def rid(self, name: str) -> str:
        """Give the resource id of a container: another one under the same name has another."""
        return (await self._timed(f"open {name}", lambda _: self._container(name)))[1]

    async def call[T](self, operation: str, name: str, work: Callable[[ContainerProxy, Hook], Awaitable[T]]) -> T:
        """Let `work` do one thing with a container.

        Parameters
        ----------
        operation : str
            How it is called in errors and in the charge.
        name : str
            The container's name.

        Raises
        ------
        MissingError
            The item is not there.
        ConflictError
            It is there already, or has changed.
        InvalidError
            It is too large or malformed, the container does not exist, or the key was refused.
        TransientError
            Cosmos is busy, away, or did not answer in time; whether a write happened is not known.
        """

        async def work_in_container(hook: Hook) -> T:
            """Open the container, and do it."""
            container, _ = await self._container(name)
            return await work(container, hook)

        return await self._timed(operation, work_in_container)

    async def batch(self, operation: str, name: str, key: str, operations: Sequence[Operation]) -> None:
        """Do several operations on one partition key as a whole or not at all; raises as `call` does."""
        await self.call(
            operation,
            name,
            lambda container, hook: container.execute_item_batch(operations, key, response_hook=hook),
        )

    async def rows(
        self,
        operation: str,
        name: str,
        query: str,
        key: str | None,
        *,
        is_enough: Callable[[Row], bool] = lambda row: False,
        page_size: int = 1_000,
        **parameters: object,
    ) -> list[Row]:
        """Give the results of a query, in one partition unless `key` is None; raises as `call` does.

        Parameters
        ----------
        is_enough : callable
            Told each row; after the first for which it says so, no more are read.
        """

        async def read(container: ContainerProxy, hook: Hook) -> list[Row]:
            """Read row by row, until it is enough."""
            given = [{"name": f"@{parameter}", "value": value} for parameter, value in parameters.items()]
            options: dict[str, Any] = {} if key is None else {"partition_key": key}
            options |= {"parameters": given, "max_item_count": page_size, "response_hook": hook}
            rows: list[Row] = []
            async for row in container.query_items(query, **options):
                rows.append(row)
                if is_enough(row):
                    break
            return rows

        return await self.call(operation, name, read)

    async def _timed[T](self, operation: str, work: Callable[[Hook], Awaitable[T]]) -> T:
        def hook(headers: Mapping[str, str], _body: object) -> None:
            """Have an answer charged."""
            self._charge(operation, float(headers.get(_CHARGE, 0)))

        try:
            async with asyncio.timeout(self._budget_seconds):
                return await work(hook)
        except TimeoutError as error:
            raise TransientError(f"{operation}: Cosmos gave no answer in {self._budget_seconds:g} s") from error
        except (CosmosHttpResponseError, CosmosBatchOperationError) as error:
            hook(error.headers or {}, None)
            raise _translated(operation, error) from error
        except ValueError as error:
            raise InvalidError(f"{operation}: this cannot be asked of Cosmos: {error}") from error
        except AzureError as error:
            raise TransientError(f"{operation}: Cosmos cannot be reached: {_line(error)}") from error

    async def _container(self, name: str) -> tuple[ContainerProxy, str]:
        if name not in self._containers:
            async with self._opening:
                container = (await self._opened()).get_database_client(self.database).get_container_client(name)
                # Without this, a container that is not there would look like one that has no items.
                try:
                    properties = await container.read()
                except CosmosHttpResponseError as error:
                    if error.status_code != HTTPStatus.NOT_FOUND:
                        raise
                    raise InvalidError(f"Cosmos has no container {name} in the database {self.database}") from error
                self._containers[name] = (container, str(properties["_rid"]))
        return self._containers[name]

    def _identity(self) -> AsyncTokenCredential:
        from azure.identity.aio import DefaultAzureCredential

        self._own = self._own or DefaultAzureCredential()
        return self._own

    async def _opened(self) -> CosmosClient:
        if self._client is None:
            client = CosmosClient(
                self._endpoint,
                self._credential or self._identity(),
                retry_throttle_backoff_max=_THROTTLED_SECONDS,
                retry_total=2,
                retry_backoff_factor=0.1,
                connection_timeout=self._budget_seconds,
                read_timeout=self._budget_seconds,
            )
            try:
                await client.__aenter__()
            except ValueError as error:
                await client.close()
                raise InvalidError("the key of Cosmos is not one: it is not base64") from error
            except BaseException:
                await client.close()
                raise
            self._client = client
        return self._client


def _translated(operation: str, error: CosmosHttpResponseError | CosmosBatchOperationError) -> FinAgentError:
    status, detail = error.status_code, error.sub_status
    text = f"{operation}: Cosmos says {status}: {_line(error)}"
    if status in (HTTPStatus.CONFLICT, HTTPStatus.PRECONDITION_FAILED):
        return ConflictError(text)
    if status == HTTPStatus.NOT_FOUND and detail == _NO_CONTAINER:
        return InvalidError(text)
    if status == HTTPStatus.NOT_FOUND and detail != _SESSION_BEHIND:
        return MissingError(text)
    if status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN) and detail != _FAILOVER:
        return InvalidError(f"{text} (is the key or the identity's role right?)")
    if status in (HTTPStatus.BAD_REQUEST, HTTPStatus.REQUEST_ENTITY_TOO_LARGE):
        return InvalidError(text)
    return TransientError(text)


def _line(error: HttpResponseError | AzureError) -> str:
    lines = [line for line in str(error.message).splitlines() if line and not line.startswith("Status code")]
    return lines[0][:300] if lines else type(error).__name__
