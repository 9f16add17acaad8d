"""What the runtime needs to make a decision durable and known."""

from collections.abc import Sequence
from typing import Protocol

from shared.events.emit import Emit
from shared.events.envelope import Event
from shared.store.port import Commit


class Settlement(Protocol):
    """Steps 4 to 6 of handling an event: commit, append to the log, publish."""

    async def settle(self, commit: Commit | None, outputs: Sequence[Emit]) -> list[Event]:
        """Make a decision durable and its outputs known, and give the events that were new to the log.

        Doing it twice is harmless: what is in the log is never changed, and the bus drops what it has seen.

        Parameters
        ----------
        commit : Commit or None
            Snapshot and receipt; None where no agent decided (the API, the timers, a repeated receipt).
        outputs : sequence of Emit
            What to append and publish; scheduled ones are only published.

        Raises
        ------
        ConflictError
            Somebody else committed first; nothing happened.
        TransientError
            Something is busy or away; doing it again completes what was begun.
        """
        ...
