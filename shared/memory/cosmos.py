"""Memories in Azure Cosmos DB: container `memories`, one partition per scope, found by its vector search.

Remembering costs a query of what is revoked and a create of some 5 KB; recalling a query within the partition. Items
expire by themselves; by number and size a scope is trimmed about every 500th time that something is remembered. What
recalled a memory is counted then, from the memories that did.
"""

import logging
from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import batched, count, groupby, product
from operator import itemgetter
from typing import Any
from zlib import crc32

from pydantic import ValidationError

from shared.errors import ConflictError, MissingError, TransientError
from shared.memory.bridge import on_loop
from shared.memory.memory import Memory, Revoked, Scope
from shared.memory.port import LIMITS, Entry, Limits, Vectors
from shared.store.cosmos_account import CosmosAccount, Row
from shared.store.cosmos_container import MEMORIES, instant

logger = logging.getLogger(__name__)

_REVOKED = "revoked:"
"""The partition of what is revoked; no scope has a colon."""
_EVERYONE = "*"
_TRIM_EVERY = 500
_TRIES = 5
_LONGEST_BATCH = 100
_LARGEST_PAGE = 1_000
_DIGITS = 7


class CosmosVectorStore:
    """A `VectorStore` in a database whose containers exist; its calls lead back to the loop of the account.

    Parameters
    ----------
    account : CosmosAccount
        Shared with the stores; whoever made it closes it.
    """

    is_quick = False

    def __init__(self, account: CosmosAccount, limits: Limits = LIMITS, trim_every: int = _TRIM_EVERY) -> None:
        self._account, self._limits, self._trim_every = account, limits, trim_every
        self._known: set[str] = set()

    def keep(self, entries: Sequence[Entry]) -> None:
        """Keep memories, each by itself; now and then trims a scope."""
        on_loop(self._keep(entries))

    def complete(self, memories: Sequence[Memory], space: str) -> list[Memory]:
        """Give those that are kept their outcomes, each by itself."""
        return on_loop(self._complete(memories, space)) if memories else []

    def nearest(
        self, scope: Scope, space: str, vector: Vectors, before: datetime, limit: int, *, graded_first: bool = False
    ) -> list[tuple[Memory, float]]:
        """Give the memories with the greatest cosines; of equal ones the newest first."""
        if not vector.any() or limit < 1:
            return []
        graded = self._nearest(scope, space, vector, before, limit, " AND c.graded < @before") if graded_first else []
        if len(graded) == limit:
            return graded
        known = {memory.id for memory, _ in graded}
        others = self._nearest(scope, space, vector, before, limit + len(graded), "")
        return (graded + [found for found in others if found[0].id not in known])[:limit]

    def _nearest(
        self, scope: Scope, space: str, vector: Vectors, before: datetime, limit: int, wanted: str
    ) -> list[tuple[Memory, float]]:
        query = (
            "SELECT TOP @limit c.body, VectorDistance(c.vector, @vector) AS cosine FROM c"
            " WHERE c.space = @space AND c.known < @before"
            f"{wanted} ORDER BY VectorDistance(c.vector, @vector)"
        )
        asked: dict[str, Any] = {"limit": limit, "vector": _numbers(vector), "space": space, "before": instant(before)}
        rows = on_loop(self._account.rows("recall", MEMORIES, query, scope.key, **asked))
        found = [(memory, _share(row["cosine"])) for row in rows if (memory := _memory(row, scope))]
        return sorted(found, key=lambda pair: (-pair[1], -pair[0].known_at.timestamp(), pair[0].id))

    def latest(self, scope: Scope, before: datetime, limit: int) -> list[Memory]:
        """Give the newest memories."""
        query = "SELECT TOP @limit c.body FROM c WHERE c.known < @before ORDER BY c.known DESC"
        asked: dict[str, Any] = {"limit": limit, "before": instant(before)}
        rows = on_loop(self._account.rows("read memories", MEMORIES, query, scope.key, **asked))
        return [memory for row in rows if (memory := _memory(row, scope))]

    def get(self, scope: Scope, memory_id: str) -> Memory | None:
        """Give one memory of a scope."""
        row = on_loop(self._read(scope.key, memory_id))
        return None if row is None else _memory(row, scope)

    def delete(self, scope: Scope, memory_id: str) -> None:
        """Forget one memory of a scope."""
        on_loop(self._delete([{"scope": scope.key, "id": memory_id}]))

    def knows(self, scope: Scope, graded_before: datetime | None = None) -> bool:
        """Say whether anything is kept in a scope, graded or not; asks until something was."""
        if scope.key not in self._known and on_loop(
            self._account.rows("recall", MEMORIES, "SELECT TOP 1 c.id FROM c", scope.key)
        ):
            self._known.add(scope.key)
        return scope.key in self._known

    def forget(self, owner: str, *, is_trial: bool = False) -> int:
        """Forget all of an owner's; asks every partition."""
        Scope("agent", owner)  # refuses what is no owner
        query = "SELECT c.id, c.scope FROM c WHERE c.owner = @owner"
        rows = on_loop(self._account.rows("forget", MEMORIES, query, None, owner=owner))
        return len(rows) if is_trial else on_loop(self._delete(rows))

    def resting_on(self, source: str, owner: str | None, *, everyone: bool) -> Revoked:
        """Give what rests on a source, and what had recalled that; asks every partition."""
        return on_loop(self._resting_on(source, owner, everyone))

    def revoke(self, source: str, owner: str | None, *, everyone: bool) -> None:
        """Write down that nothing may rest on a source, then forget what does."""
        on_loop(self._revoke(source, owner, everyone))

    def clear(self) -> None:
        """Forget everything: each item for about 10 request units."""
        self._known.clear()
        while rows := on_loop(self._some()):
            on_loop(self._delete(rows))

    def close(self) -> None:
        """Do nothing: the account is another's."""

    async def _keep(self, entries: Sequence[Entry]) -> None:
        sources = {source for entry in entries for source in entry.memory.sources}
        query = "SELECT c.source, c.owner FROM c WHERE ARRAY_CONTAINS(@sources, c.source)"
        rows = await self._account.rows("remember", MEMORIES, query, _REVOKED, sources=sorted(sources))
        revoked = {(row["source"], row["owner"]) for row in rows}
        for entry in entries:
            memory = entry.memory
            if revoked & set(product(memory.sources, (_EVERYONE, memory.owner or ""))):
                continue
            await self._create_or_complete(entry)
            if crc32(memory.id.encode()) % self._trim_every == 0:
                await self._trim(memory.scope)

    async def _complete(self, memories: Sequence[Memory], space: str) -> list[Memory]:
        return [memory for memory in memories if not await self._completed(memory, space)]

    async def _completed(self, memory: Memory, space: str) -> bool:
        row = await self._read(memory.scope.key, memory.id)
        known = _memory(row, memory.scope) if row and row["space"] == space else None
        if row is None or known is None:
            return False
        if _is_whole(known, memory):
            return True
        body = _dump(memory)
        size = row["size"] + len(body) - len(row["body"])
        item = {**row, "graded": _graded(memory), "size": size, "body": body}
        # Where somebody else wrote it meanwhile, it goes the way of what is new.
        with suppress(ConflictError, MissingError):
            await self._replace({name: value for name, value in item.items() if name[0] != "_"}, row["_etag"])
            return True
        return False

    async def _create_or_complete(self, entry: Entry) -> None:
        item = _item(entry)
        for _ in range(_TRIES):
            try:
                return await self._create(item)
            except ConflictError:
                row = await self._read(item["scope"], item["id"])
            known = _memory(row, entry.memory.scope) if row else None
            if row is None or (known is not None and row["space"] == entry.space and _is_whole(known, entry.memory)):
                if row is None:
                    continue
                return None
            kept = entry.memory if entry.memory.outcome or known is None else known
            with suppress(ConflictError, MissingError):
                return await self._replace(_item(replace(entry, memory=kept)), row["_etag"])
        raise TransientError(f"remember: others kept writing the same memory of {entry.memory.agent}")

    async def _create(self, item: Row) -> None:
        await self._account.call(
            "remember",
            MEMORIES,
            lambda container, hook: container.create_item(item, response_hook=hook, no_response=True),
        )

    async def _replace(self, item: Row, etag: str) -> None:
        operation = ("replace", (item["id"], item), {"if_match_etag": etag})
        await self._account.batch("remember", MEMORIES, item["scope"], [operation])

    async def _read(self, scope: str, name: str) -> Row | None:
        with suppress(MissingError):
            return await self._account.call(
                "read memory",
                MEMORIES,
                lambda container, hook: container.read_item(name, scope, response_hook=hook),
            )
        return None

    async def _trim(self, scope: Scope) -> None:
        limits, rows = self._limits, await self._outline(scope.key)
        uses = Counter(recalled for row in rows for recalled in row["recalled"])
        lives = {row["id"]: _lives(row, uses[row["id"]], limits) for row in rows}
        newest = max(datetime.fromisoformat(row["known"]) for row in rows) if rows else None
        kept, size, gone = 0, 0, []
        for row in sorted(rows, key=lambda row: (lives[row["id"]], row["id"]), reverse=True):
            aged = newest is not None and datetime.fromisoformat(row["known"]) < newest - timedelta(days=limits.days)
            if aged or kept == limits.count or size + row["size"] > limits.size:
                gone.append({"scope": scope.key, "id": row["id"]})
            else:
                kept, size = kept + 1, size + row["size"]
        await self._delete(gone)

    async def _outline(self, scope: str) -> list[Row]:
        query = "SELECT c.id, c.known, c.recalled, c.size FROM c"
        return await self._account.rows("trim", MEMORIES, query, scope)

    async def _resting_on(self, source: str, owner: str | None, everyone: bool) -> Revoked:
        rows = await self._rows_on(source, owner, everyone)
        memories, influenced = list[Memory](), list[Memory]()
        for key, group in groupby(sorted(rows, key=itemgetter("scope")), key=itemgetter("scope")):
            scope, found = Scope.of(key), list(group)
            memories += [memory for row in found if (memory := _memory(row, scope))]
            for memory_id in _after({row["id"] for row in found}, await self._outline(key)):
                row = await self._read(key, memory_id)
                influenced += [memory] if row and (memory := _memory(row, scope)) else []
        return Revoked(_in_order(memories), _in_order(influenced))

    async def _rows_on(self, source: str, owner: str | None, everyone: bool) -> list[Row]:
        query = "SELECT c.id, c.scope, c.body FROM c WHERE ARRAY_CONTAINS(c.sources, @source)"
        rows = await self._account.rows("revoke", MEMORIES, query, None, source=source)
        return [row for row in rows if everyone or Scope.of(row["scope"]).owner == owner]

    async def _revoke(self, source: str, owner: str | None, everyone: bool) -> None:
        whose = _EVERYONE if everyone else owner or ""
        item = {"id": f"{source}|{whose}", "scope": _REVOKED, "source": source, "owner": whose, "ttl": -1}
        with suppress(ConflictError):
            await self._create(item)
        await self._delete(await self._rows_on(source, owner, everyone))

    async def _some(self) -> list[Row]:
        number = count(1)
        query = "SELECT c.id, c.scope FROM c"
        return await self._account.rows(
            "clear", MEMORIES, query, None, is_enough=lambda _: next(number) == _LARGEST_PAGE
        )

    async def _delete(self, rows: Sequence[Row]) -> int:
        ordered = sorted(rows, key=itemgetter("scope"))
        for key, group in groupby(ordered, key=itemgetter("scope")):
            for batch in batched(group, _LONGEST_BATCH, strict=False):
                await self._delete_batch(key, [row["id"] for row in batch])
        return len(ordered)

    async def _delete_batch(self, scope: str, names: Sequence[str]) -> None:
        try:
            await self._account.batch("forget", MEMORIES, scope, [("delete", (name,)) for name in names])
        except MissingError:
            # Another host was first with some of them.
            for name in names if len(names) > 1 else ():
                await self._delete_batch(scope, [name])


def _item(entry: Entry) -> Row:
    memory, body = entry.memory, _dump(entry.memory)
    return {
        "id": memory.id,
        "scope": memory.scope.key,
        "owner": memory.owner or "",
        "known": instant(memory.known_at),
        **({"graded": _graded(memory)} if memory.outcome else {}),
        "space": entry.space,
        "vector": _numbers(entry.vector),
        "sources": list(memory.sources),
        "recalled": list(memory.recalled),
        "size": len(body) + entry.vector.nbytes,
        "body": body,
    }


def _graded(memory: Memory) -> str:
    assert memory.outcome is not None
    return instant(memory.outcome.at)


def _is_whole(known: Memory, told: Memory) -> bool:
    return told.outcome is None or known.outcome is not None


def _lives(row: Row, uses: int, limits: Limits) -> datetime:
    known = datetime.fromisoformat(row["known"])
    return known + min(uses, limits.uses) * timedelta(days=limits.days_per_use)


def _after(begun: set[str], outline: Iterable[Row]) -> list[str]:
    """Give what recalled any of these, directly or through one another."""
    rows, seen = list(outline), set(begun)
    while fresh := {row["id"] for row in rows if row["id"] not in seen and seen & set(row["recalled"])}:
        seen |= fresh
    return sorted(seen - begun)


def _in_order(memories: Iterable[Memory]) -> tuple[Memory, ...]:
    return tuple(sorted(memories, key=lambda memory: (memory.known_at, memory.id)))


def _numbers(vector: Vectors) -> list[float]:
    return [round(float(number), _DIGITS) for number in vector]


def _share(cosine: float) -> float:
    return round(min(1.0, max(0.0, cosine)), _DIGITS - 1)


def _dump(memory: Memory) -> str:
    return memory.model_dump_json(exclude_none=True)


def _memory(row: Row, scope: Scope) -> Memory | None:
    try:
        memory = Memory.model_validate_json(row["body"])
    except (ValidationError, KeyError):
        logger.warning("a memory of %s cannot be read; `finagent rebuild` restores it", scope.agent)
        return None
    return memory if memory.scope == scope else None
