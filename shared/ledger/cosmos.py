"""The ledger in Azure Cosmos DB: container `ledger`, one item per batch, by the day of its entries.

A batch costs about 6 request units, and a further one for each kilobyte and each story in it. Reading a range costs
what its items do: about one per 4 KB. Items expire by themselves.
"""

from collections.abc import Iterable, Iterator
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from itertools import chain, groupby
from typing import Any

from shared.errors import ConflictError
from shared.ledger.port import Batch, Entry, Grouping, Span, Sum, in_order, key_of, summed
from shared.store.cosmos_account import CosmosAccount
from shared.store.cosmos_container import LEDGER

_ONE_DAY = timedelta(days=1)


class CosmosLedger:
    """A `Ledger` in a database whose containers exist.

    Parameters
    ----------
    account : CosmosAccount
        Shared with the stores; whoever made it closes it.
    """

    def __init__(self, account: CosmosAccount) -> None:
        self._account = account

    async def add(self, batch: Batch) -> None:
        """Keep a batch, in an item for each day that it touches."""
        for day, entries in groupby(sorted(batch.entries), key=lambda entry: key_of(entry, "day")):
            item = _item(batch.id, day, list(entries))
            with suppress(ConflictError):
                await self._account.call(
                    "ledger",
                    LEDGER,
                    lambda container, hook, item=item: container.create_item(  # type: ignore[misc]
                        item, response_hook=hook, no_response=True
                    ),
                )

    async def sums(self, by: Grouping, span: Span) -> list[Sum]:
        """Give what was used by group and language model."""
        if span.correlation is not None:
            return summed(await self.entries(span), by)
        found = list[Entry]()
        for day in _days(span):
            rows = await self._account.rows(
                "read ledger",
                LEDGER,
                "SELECT c.entries FROM c WHERE c.last >= @since AND c.first < @until",
                day.isoformat(),
                since=span.since,
                until=span.until,
            )
            found.extend(_wanted(rows, span))
        return summed(found, by)

    async def entries(self, span: Span) -> list[Entry]:
        """Give the entries of a story; asks every partition, because its days are not known."""
        query = "SELECT c.entries FROM c WHERE ARRAY_CONTAINS(c.stories, @story)"
        rows = await self._account.rows("read ledger", LEDGER, query, None, story=span.correlation)
        return in_order(_wanted(rows, span))


def _item(name: str, day: str, entries: list[Entry]) -> dict[str, Any]:
    return {
        "id": name,
        "day": day,
        "first": entries[0].started,
        "last": entries[-1].started,
        "stories": sorted({entry.correlation for entry in entries if entry.correlation}),
        "entries": [list(entry.row) for entry in entries],
    }


def _wanted(rows: Iterable[dict[str, Any]], span: Span) -> Iterator[Entry]:
    for row in chain.from_iterable(item["entries"] for item in rows):
        entry = Entry.of(row)
        if span.has(entry):
            yield entry


def _days(span: Span) -> Iterator[date]:
    day, last = (datetime.fromtimestamp(moment / 1e6, UTC).date() for moment in (span.since, span.until))
    while day <= last:
        yield day
        day += _ONE_DAY
