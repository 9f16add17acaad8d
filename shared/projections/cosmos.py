"""Projection rows in Azure Cosmos DB: container `projections`, one partition per view and key.

A row costs a create (about 6 request units), whatever it shares with others: a market event of fifty bars is fifty
partitions, so about 300. Rows of one partition go in batches, which saves round trips, not request units. A row that is
there already costs a read more. Reading a history costs about 3 and a further one per 40 rows.
"""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from itertools import batched, count, groupby
from operator import itemgetter
from typing import Any

from shared.errors import ConflictError, MissingError, TransientError
from shared.projections.port import Edition, Row
from shared.store.cosmos_account import CosmosAccount
from shared.store.cosmos_container import PROJECTIONS, instant

_LONGEST_BATCH = 100
_LARGEST_PAGE = 1_000
_AT_ONCE = 20
_TRIES = 5
_KEYS = "keys"


class CosmosProjectionStore:
    """A `ProjectionStore` in a database whose containers exist.

    Parameters
    ----------
    account : CosmosAccount
        Shared with other stores; whoever made it closes it.
    """

    def __init__(self, account: CosmosAccount) -> None:
        self._account = account
        self._known_keys: set[tuple[str, str]] = set()
        self._turns = asyncio.Semaphore(_AT_ONCE)

    async def apply(self, rows: Sequence[Row]) -> None:
        """Keep the rows; several partitions at once."""
        best = {(row.view, row.key, row.valid_at, row.known_at): row for row in sorted(rows, key=lambda row: row.body)}
        ordered = sorted(best.values(), key=_home_of)
        groups = [list(group) for _, group in groupby(ordered, key=_home_of)]
        results = await asyncio.gather(*(self._apply_in_turn(group) for group in groups), return_exceptions=True)
        for result in results:
            if result is not None:
                raise result

    async def read(
        self,
        view: str,
        key: str,
        as_of: datetime,
        *,
        after: datetime | None = None,
        until: datetime | None = None,
        limit: int = 1,
    ) -> list[Row]:
        """Give what was known at `as_of`, oldest first."""
        query = (
            "SELECT c.valid, c.known, c.body FROM c"
            " WHERE c.valid > @after AND c.valid <= @until AND c.known <= @as_of ORDER BY c.valid DESC"
        )
        latest: dict[str, dict[str, str]] = {}

        def is_enough(row: dict[str, str]) -> bool:
            """Take in a row, and say whether its moment is one more than wanted."""
            # Corrections share a moment with what they correct: only the next moment shows that there are no more.
            kept = latest.setdefault(row["valid"], row)
            if kept["known"] < row["known"]:
                latest[row["valid"]] = row
            return len(latest) > limit

        await self._account.rows(
            "read rows",
            PROJECTIONS,
            query,
            _home(view, key),
            is_enough=is_enough,
            page_size=min(limit + 1, _LARGEST_PAGE),
            after="" if after is None else instant(after),
            until=instant(as_of if until is None else min(as_of, until)),
            as_of=instant(as_of),
        )
        return [_row(view, key, row) for row in reversed(list(latest.values())[:limit])]

    def edition(self, view: str, key: str) -> Edition | None:
        """Give None: another host may write at any time."""
        return None

    async def keys(self, view: str) -> list[str]:
        """Give the keys that a view has, sorted; they have a partition of their own."""
        rows = await self._account.rows("read keys", PROJECTIONS, "SELECT c.key FROM c", _home(_KEYS, view))
        return sorted(row["key"] for row in rows)

    async def clear(self) -> None:
        """Forget everything: reads the ids of all rows, and deletes each for about 5 request units."""
        self._known_keys.clear()
        while rows := await self._some_ids():
            by_home = sorted(rows, key=itemgetter("home"))
            for home, group in groupby(by_home, key=itemgetter("home")):
                for batch in batched(group, _LONGEST_BATCH, strict=False):
                    # Another host that clears at the same time may have been first.
                    with suppress(MissingError):
                        await self._account.batch(
                            "clear", PROJECTIONS, home, [("delete", (row["id"],)) for row in batch]
                        )

    async def _some_ids(self) -> list[dict[str, str]]:
        # A page at a time, so that no call takes longer the more there is.
        number = count(1)
        return await self._account.rows(
            "clear",
            PROJECTIONS,
            "SELECT c.home, c.id FROM c",
            None,
            is_enough=lambda _: next(number) == _LARGEST_PAGE,
        )

    async def _apply_in_turn(self, rows: list[Row]) -> None:
        async with self._turns:
            for batch in batched(rows, _LONGEST_BATCH, strict=False):
                await self._create_or_keep(batch)
            # After the rows: what was interrupted is done again, and only then the key counts as known.
            await self._know(rows[0].view, rows[0].key)

    async def _create_or_keep(self, rows: Sequence[Row]) -> None:
        try:
            await self._create([_item(row) for row in rows])
        except ConflictError:
            for row in rows:
                await self._keep(_item(row))

    async def _create(self, items: list[dict[str, str]]) -> None:
        if len(items) == 1:
            await self._account.call(
                "apply",
                PROJECTIONS,
                lambda container, hook: container.create_item(items[0], response_hook=hook, no_response=True),
            )
        else:
            operations = [("create", (item,)) for item in items]
            await self._account.batch("apply", PROJECTIONS, items[0]["home"], operations)

    async def _keep(self, item: dict[str, str]) -> None:
        """Create an item, or replace one whose body sorts before it."""
        for _ in range(_TRIES):
            try:
                current = await self._account.call(
                    "apply",
                    PROJECTIONS,
                    lambda container, hook: container.read_item(item["id"], item["home"], response_hook=hook),
                )
            except MissingError:
                current = None
            try:
                if current is None:
                    return await self._create([item])
                if current["body"].encode() < item["body"].encode():
                    await self._replace(item, current["_etag"])
            except (ConflictError, MissingError):
                continue
            return None
        raise TransientError(f"apply: others kept writing the same row of {item['home']}")

    async def _replace(self, item: dict[str, str], etag: str) -> None:
        await self._account.batch(
            "apply", PROJECTIONS, item["home"], [("replace", (item["id"], item), {"if_match_etag": etag})]
        )

    async def _know(self, view: str, key: str) -> None:
        if (view, key) in self._known_keys:
            return
        with suppress(ConflictError):
            await self._create([{"id": key, "home": _home(_KEYS, view), "key": key}])
        self._known_keys.add((view, key))


def _home(view: str, key: str) -> str:
    return f"{view}|{key}"


def _home_of(row: Row) -> str:
    return _home(row.view, row.key)


def _item(row: Row) -> dict[str, str]:
    valid, known = instant(row.valid_at), instant(row.known_at)
    return {"id": f"{valid}|{known}", "home": _home_of(row), "valid": valid, "known": known, "body": row.body.decode()}


def _row(view: str, key: str, item: dict[str, Any]) -> Row:
    valid_at, known_at = (datetime.fromisoformat(item[name]).replace(tzinfo=UTC) for name in ("valid", "known"))
    return Row(view, key, valid_at, known_at, item["body"].encode())
