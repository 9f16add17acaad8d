"""Deleting and rewriting items in batches, so that a run that is stopped or overtaken says so and can be done again."""

from collections.abc import Iterable
from itertools import batched, groupby
from operator import itemgetter
from typing import Any

from shared.errors import ConflictError, MissingError, TransientError
from shared.store.cosmos_account import CosmosAccount, Operation

_LONGEST_BATCH = 100


async def delete(account: CosmosAccount, home: str, key: str, items: Iterable[dict[str, Any]]) -> None:
    """Delete items of a container, whose partition key is named `key`; about 5 request units an item.

    Raises
    ------
    TransientError
        Something expired, or somebody else was first; some items may be deleted.
    """
    for name, group in groupby(sorted(items, key=itemgetter(key)), key=itemgetter(key)):
        for batch in batched(group, _LONGEST_BATCH, strict=False):
            await _write(account, home, name, [("delete", (item["id"],)) for item in batch])


async def rewrite(account: CosmosAccount, home: str, key: str, item: dict[str, Any]) -> None:
    """Write an item that was read, and then changed, in its place; raises as `delete` does."""
    own = {name: value for name, value in item.items() if not name.startswith("_")}
    await _write(account, home, key, [("replace", (item["id"], own), {"if_match_etag": item["_etag"]})])


async def _write(account: CosmosAccount, home: str, key: str, operations: list[Operation]) -> None:
    try:
        await account.batch("forget", home, key, operations)
    except (MissingError, ConflictError) as error:
        # Then none of the batch is done.
        raise TransientError(f"{key} changed meanwhile; do it again") from error
