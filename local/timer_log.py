"""Remembers when timers ran, in the desk's file, so that a host that starts knows which were missed."""

import logging
from datetime import UTC, datetime

from pydantic import AwareDatetime, BaseModel, ConfigDict, ValidationError

from shared.errors import TransientError
from shared.events.catalogue import describe
from shared.sqlite import Database

logger = logging.getLogger(__name__)

_SCHEMA = "CREATE TABLE IF NOT EXISTS timers (name TEXT PRIMARY KEY, status TEXT NOT NULL) WITHOUT ROWID"
NEVER = datetime(1, 1, 1, tzinfo=UTC)


class TimerStatus(BaseModel):
    """How a timer stands; a function finds the same in its `TimerRequest`, so the names are those of Functions.

    Attributes
    ----------
    Last : datetime
        When it last ran; `NEVER` if it did not.
    Next : datetime
        When it is due.
    LastUpdated : datetime
        The moment that `Next` was counted from.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    Last: AwareDatetime
    Next: AwareDatetime
    LastUpdated: AwareDatetime


class TimerLog:
    """The statuses of a desk's timers.

    Parameters
    ----------
    database : Database
        The desk's file.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._failing = False
        database.set_up(_SCHEMA)

    def read(self, name: str) -> TimerStatus | None:
        """Give a timer's status; None if it never ran, or if what was written of it cannot be read."""
        rows = self._database.read("SELECT status FROM timers WHERE name = ?", (name,))
        try:
            return TimerStatus.model_validate_json(rows[0][0]) if rows else None
        except ValidationError as error:
            logger.warning("the status of the timer %s is void, so it counts as past due: %s", name, describe(error))
            return None

    async def write(self, name: str, status: TimerStatus) -> None:
        """Write a timer's status down. If that fails, the timer may run once more after a restart."""
        row = (name, status.model_dump_json())
        try:
            await self._database.write(lambda file: file.execute("INSERT OR REPLACE INTO timers VALUES (?, ?)", row))
        except TransientError as error:
            if not self._failing:
                logger.warning("the status of the timer %s is not kept: %s", name, error)
            self._failing = True
        else:
            self._failing = False
