"""Appending to the log in Cosmos: one item per event, created under the event's id, never changed.

An answer can get lost after the write, and the SDK then writes again and is told that the item exists. Each call marks
what it writes with a token of its own, and reads it back on a conflict: what carries its token was new.
"""

import asyncio
import secrets
from collections.abc import Callable, Iterable, Sequence
from itertools import groupby
from typing import Any

from shared.errors import ConflictError, TransientError
from shared.events.envelope import Event
from shared.store.cosmos_account import CosmosAccount
from shared.store.cosmos_container import EVENTS, instant

_LONGEST_BATCH = 100
# Cosmos takes 2 MB; quotation marks in the events' JSON are escaped in the items' JSON, and sending more than 1 MB at
# once holds up the event loop.
_LARGEST_BATCH_BYTES = 500_000
_TRIES = 5


class CosmosAppender:
    """Adds events to the log.

    Parameters
    ----------
    wall_seconds : callable
        Seconds since the epoch: orders what happened in one stream at one desk time as it was recorded.
    """

    def __init__(self, account: CosmosAccount, wall_seconds: Callable[[], float]) -> None:
        self._account = account
        self._wall_seconds = wall_seconds
        self._recorded = 0

    async def append(self, events: Sequence[Event]) -> list[Event]:
        """Add what is new and give it: each stream's events in their order, several streams at once."""
        wanted = list({event.id: event for event in reversed(events)}.values())[::-1]
        token = secrets.token_hex(8)
        by_stream = sorted(wanted, key=lambda event: event.stream)
        streams = [list(group) for _, group in groupby(by_stream, key=lambda event: event.stream)]
        results = await asyncio.gather(*(self._add(group, token) for group in streams), return_exceptions=True)
        for result in results:
            if isinstance(result, BaseException):
                raise result
        fresh = set[str]().union(*(result for result in results if isinstance(result, set)))
        return [event for event in wanted if event.id in fresh]

    async def _add(self, events: list[Event], token: str) -> set[str]:
        items = [self._item(event, token) for event in events]
        fresh = set[str]()
        for batch in _batches(items):
            fresh |= await self._write(batch, token)
        return fresh

    async def _write(self, items: list[dict[str, Any]], token: str) -> set[str]:
        fresh, left = set[str](), items
        for _ in range(_TRIES):
            try:
                await self._create(left)
            except ConflictError:
                tokens = await self._tokens(left)
                fresh |= {name for name, found in tokens.items() if found == token}
                left = [item for item in left if item["id"] not in tokens]
                if left:
                    continue
                return fresh
            return fresh | {item["id"] for item in left}
        raise TransientError(f"append: others kept writing the same events into {items[0]['stream']}")

    async def _create(self, items: list[dict[str, Any]]) -> None:
        stream = items[0]["stream"]
        if len(items) == 1:
            await self._account.call(
                "append",
                EVENTS,
                lambda container, hook: container.create_item(items[0], response_hook=hook, no_response=True),
            )
        else:
            await self._account.batch("append", EVENTS, stream, [("create", (item,)) for item in items])

    async def _tokens(self, items: list[dict[str, Any]]) -> dict[str, str]:
        ids = {f"id{place}": item["id"] for place, item in enumerate(items)}
        # A list of parameters is looked up in the index, where an array of values would be searched for.
        query = f"SELECT c.id, c.token FROM c WHERE c.id IN ({', '.join(f'@{name}' for name in ids)})"
        rows = await self._account.rows("read back", EVENTS, query, items[0]["stream"], **ids)
        return {row["id"]: row["token"] for row in rows}

    def _item(self, event: Event, token: str) -> dict[str, Any]:
        self._recorded = max(self._recorded + 1, int(self._wall_seconds() * 1e6))
        return {
            "id": event.id,
            "stream": event.stream,
            "type": event.type,
            "correlation": event.correlationid,
            "run": event.run,
            "audience": event.audience,
            "moment": f"{instant(event.time)}/{self._recorded:016d}",
            "token": token,
            "body": event.json_bytes.decode(),
        }


def _batches(items: list[dict[str, Any]]) -> Iterable[list[dict[str, Any]]]:
    batch, size = list[dict[str, Any]](), 0
    for item in items:
        length = len(item["body"].encode())
        if batch and (len(batch) == _LONGEST_BATCH or size + length > _LARGEST_BATCH_BYTES):
            yield batch
            batch, size = [], 0
        batch, size = [*batch, item], size + length
    if batch:
        yield batch
