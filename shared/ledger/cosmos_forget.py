"""Forgetting an owner's costs in Cosmos DB. Reading costs a look at all that the ledger keeps, day by day."""

from datetime import UTC, datetime, timedelta
from typing import Any

from shared.clock import wall_seconds
from shared.ledger.port import LIFE, Entry
from shared.store.cosmos_account import CosmosAccount
from shared.store.cosmos_container import LEDGER
from shared.store.cosmos_erase import delete, rewrite


class CosmosLedgerHolder:
    """A `Holder` of a ledger's entries."""

    def __init__(self, account: CosmosAccount) -> None:
        self._account = account

    async def forget(self, owner: str, *, is_trial: bool) -> dict[str, int]:
        """Delete the owner's entries, and leave those of others that are kept with them."""
        count, now = 0, datetime.fromtimestamp(wall_seconds(), UTC)
        for days in range(-1, LIFE.days + 2):
            day = (now - timedelta(days=days)).date().isoformat()
            for item in await self._account.rows("forget", LEDGER, "SELECT * FROM c", day):
                kept = [row for row in item["entries"] if Entry.of(row).owner != owner]
                count += len(item["entries"]) - len(kept)
                if not is_trial and len(kept) < len(item["entries"]):
                    await self._keep(item, kept)
        return {"ledger entries": count}

    async def _keep(self, item: dict[str, Any], kept: list[list[Any]]) -> None:
        if not kept:
            await delete(self._account, LEDGER, "day", [item])
            return
        stories = sorted({entry.correlation for entry in map(Entry.of, kept) if entry.correlation})
        # A life counts from the last write: what is written anew must not live longer for it.
        left = max(1, int(LIFE.total_seconds() - (wall_seconds() - item["_ts"])))
        changed = item | {"entries": kept, "stories": stories, "ttl": left}
        await rewrite(self._account, LEDGER, item["day"], changed)
