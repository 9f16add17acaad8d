"""Forgetting an owner in Cosmos DB: read models, agents' memory and events, stream by stream, the events last.

Each step can be done again. Reading costs a look at all read models' homes and all receipts that mention the owner. The
account's backup goes back further than this.
"""

from collections.abc import Mapping
from itertools import groupby
from operator import itemgetter
from typing import Any

from shared.forget import mark_of, without
from shared.store.cosmos_account import CosmosAccount
from shared.store.cosmos_container import EVENTS, PROJECTIONS, STATE
from shared.store.cosmos_erase import delete, rewrite
from shared.store.receipt import decode_outputs, encode_outputs

_HOMES = (
    "SELECT c.home, c.id FROM c WHERE CONTAINS(c.home, @view) OR ENDSWITH(c.home, @last) OR c.home = @owned"
    " OR (c.home = 'keys|portfolio-owner' AND c.id = @owner)"
)
"""No name that a caller may give holds an @ or a |, so these homes are the owner's alone."""


class CosmosHolder:
    """A `Holder` of all that is in one database, but for keys and ledger."""

    def __init__(self, account: CosmosAccount) -> None:
        self._account = account

    async def forget(self, owner: str, *, is_trial: bool) -> Mapping[str, int]:
        """Delete what is the owner's; stopped half-way, do it again."""
        rows = await self._rows_of_read_models(owner)
        if not is_trial:
            await delete(self._account, PROJECTIONS, "home", rows)
        return {"rows of read models": len(rows), **await self._log(owner, is_trial=is_trial)}

    async def _rows_of_read_models(self, owner: str) -> list[dict[str, Any]]:
        return await self._ask(
            PROJECTIONS, _HOMES, view=f"@{owner}|", last=f"@{owner}", owned=f"portfolio-owner|{owner}", owner=owner
        )

    async def _log(self, owner: str, *, is_trial: bool) -> dict[str, int]:
        """Forget the owner's streams, one after the other, and what agents concluded elsewhere for the owner."""
        events = await self._ask(EVENTS, "SELECT c.stream, c.id FROM c WHERE c.audience = @owner", owner=owner)
        found = {"snapshots": 0, "receipts": 0, "events": len(events)}
        if not is_trial:
            await self._rewrite_receipts(owner)
        for stream, group in groupby(sorted(events, key=itemgetter("stream")), key=itemgetter("stream")):
            mine = list(group)
            kept = await self._kept(stream, {event["id"] for event in mine}, owner)
            for item in kept:
                found["snapshots" if item["id"].startswith("snapshot|") else "receipts"] += 1
            if not is_trial:
                await delete(self._account, STATE, "stream", kept)
                await delete(self._account, EVENTS, "stream", mine)
        return found

    async def _kept(self, stream: str, events: set[str], owner: str) -> list[dict[str, Any]]:
        """Give what agents keep in a stream: all of it where the stream is the owner's alone, else their receipts."""
        others = "SELECT TOP 1 c.id FROM c WHERE c.audience != @owner"
        is_shared = bool(await self._account.rows("forget", EVENTS, others, stream, owner=owner))
        items = await self._account.rows("forget", STATE, "SELECT c.stream, c.id FROM c", stream)
        return [item for item in items if not is_shared or item["id"].rpartition("|")[2] in events]

    async def _rewrite_receipts(self, owner: str) -> None:
        query = "SELECT * FROM c WHERE CONTAINS(c.outputs, @mark)"
        for item in await self._ask(STATE, query, mark=mark_of(owner)):
            outputs = encode_outputs(without(decode_outputs(item["outputs"].encode()), owner)).decode()
            await rewrite(self._account, STATE, item["stream"], item | {"outputs": outputs})

    async def _ask(self, home: str, query: str, **parameters: str) -> list[dict[str, Any]]:
        return await self._account.rows("forget", home, query, None, **parameters)  # type: ignore[arg-type]
