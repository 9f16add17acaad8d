"""Keys in Azure Cosmos DB: a partition of the container `state`, which a desk's identity may write to already.

Reading all keys costs about 3 request units, a new key about 6.
"""

from contextlib import suppress
from datetime import datetime
from typing import Any

from shared.callers.caller import Role
from shared.callers.key import Key
from shared.errors import MissingError
from shared.store.cosmos_account import CosmosAccount
from shared.store.cosmos_container import STATE

_HOME = "keys"
"""No event has this stream, so nothing else is in its partition."""


class CosmosKeyRing:
    """A `KeyRing` in a database whose containers exist.

    Parameters
    ----------
    account : CosmosAccount
        Shared with other stores; whoever made it closes it.
    """

    def __init__(self, account: CosmosAccount) -> None:
        self._account = account

    async def add(self, key: Key) -> None:
        """Keep a key."""
        await self._account.call(
            "add key",
            STATE,
            lambda container, hook: container.upsert_item(_item(key), response_hook=hook, no_response=True),
        )

    async def keys(self) -> list[Key]:
        """Give all keys, those that were revoked too, oldest first."""
        query = "SELECT c.key, c.owner, c.roles, c.digest, c.created, c.revoked FROM c"
        found = [_key(row) for row in await self._account.rows("read keys", STATE, query, _HOME)]
        return sorted(found, key=lambda key: (key.created_at, key.id))

    async def revoke(self, key_id: str, now: datetime) -> None:
        """Let a key prove nothing any more."""
        found = [key for key in await self.keys() if key.id == key_id and key.revoked_at is None]
        if not found:
            raise MissingError(f"there is no key {key_id}")
        item = _item(found[0].revoked(now))
        await self._account.call(  # in the place of the other: who was forgotten meanwhile has no key again
            "revoke key",
            STATE,
            lambda container, hook: container.replace_item(item["id"], item, response_hook=hook, no_response=True),
        )

    async def forget(self, owner: str) -> None:
        """Delete all keys of an owner's."""
        for key in await self.keys():
            if key.owner == owner:
                with suppress(MissingError):  # another process was faster
                    await self._delete(key)

    async def _delete(self, key: Key) -> None:
        await self._account.call(
            "forget key",
            STATE,
            lambda container, hook: container.delete_item(_name(key.id), _HOME, response_hook=hook),
        )


def _name(key_id: str) -> str:
    return f"key|{key_id}"


def _item(key: Key) -> dict[str, Any]:
    return {
        "id": _name(key.id),
        "stream": _HOME,
        "key": key.id,
        "owner": key.owner,
        "roles": sorted(key.roles),
        "digest": key.digest,
        "created": key.created_at.isoformat(),
        "revoked": None if key.revoked_at is None else key.revoked_at.isoformat(),
    }


def _key(row: dict[str, Any]) -> Key:
    revoked = row.get("revoked")  # what was written before revoked keys were kept has none
    return Key(
        id=row["key"],
        owner=row["owner"],
        roles=frozenset(map(Role, row["roles"])),
        digest=row["digest"],
        created_at=datetime.fromisoformat(row["created"]),
        revoked_at=datetime.fromisoformat(revoked) if revoked else None,
    )
