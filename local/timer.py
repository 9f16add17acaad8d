"""Runs timer functions on their NCRONTAB schedules, never one twice at a time."""

import asyncio
import logging
from datetime import UTC, datetime
from uuid import uuid4

import azure.functions as func
from croniter import croniter

from local.registration import Registered
from shared.errors import InvalidError

logger = logging.getLogger(__name__)


class Timer:
    """One timer function.

    Raises
    ------
    InvalidError
        The schedule is not six NCRONTAB fields: second, minute, hour, day, month, day of week (UTC, Sunday is 0).
    """

    def __init__(self, function: Registered, timeout_seconds: float) -> None:
        self._function = function
        self._timeout_seconds = timeout_seconds
        self.caught_up = asyncio.Event()
        self._schedule = str(function.trigger["schedule"])
        fields = self._schedule.split()
        if len(fields) != 6 or not croniter.is_valid(self._schedule, second_at_beginning=True):  # noqa: PLR2004
            raise InvalidError(f"{function.name}: {self._schedule!r} is not an NCRONTAB schedule of six fields")

    async def run(self) -> None:
        """Invoke the function at its times until cancelled.

        What fell due while no host ran, or while the function itself did, is made up for once.
        """
        due = next_time(self._schedule, _now())
        await self._invoke(past_due=True)
        self.caught_up.set()
        while True:
            await asyncio.sleep(max(0.0, (due - _now()).total_seconds()))
            started = _now()
            await self._invoke(past_due=(started - due).total_seconds() >= 1)
            due = next_time(self._schedule, started)

    async def _invoke(self, *, past_due: bool) -> None:
        try:
            async with asyncio.timeout(self._timeout_seconds):
                await self._function.invoke(func.timer.TimerRequest(past_due=past_due), str(uuid4()))
        except Exception:  # a failed tick is logged, the next one comes
            logger.exception("%s failed", self._function.name)


def next_time(schedule: str, moment: datetime) -> datetime:
    """Give the first time after `moment` that an NCRONTAB schedule names; day and day of week must both agree."""
    found: datetime = croniter(schedule, moment, second_at_beginning=True, day_or=False).get_next(datetime)
    return found


def _now() -> datetime:
    return datetime.now(UTC)
