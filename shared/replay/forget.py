"""Forgetting an owner's replays: their results lie in folders, which the log alone says whose they are."""

import shutil
from contextlib import suppress

from shared.errors import MissingError
from shared.events.catalogue import decode
from shared.events.replay import ReplayRequested
from shared.replay.shelf import Shelf
from shared.store.port import EventStore, Filter

_PAGE = 500


class ReplayHolder:
    """A `Holder` of replays' results; asked before the events are gone."""

    def __init__(self, shelf: Shelf, store: EventStore) -> None:
        self._shelf, self._store = shelf, store

    async def forget(self, owner: str, *, is_trial: bool) -> dict[str, int]:
        """Delete the results of what the owner asked for."""
        found, cursor = 0, ""
        wanted = Filter(types=(ReplayRequested.name(),), audiences=(owner,))
        while (page := await self._store.page(wanted, cursor, _PAGE)).events:
            for event in map(decode, page.events):
                with suppress(MissingError):
                    folder = self._shelf.path(event.id)
                    found += 1
                    if not is_trial:
                        shutil.rmtree(folder)
            cursor = page.cursor
        return {"results of replays": found}
