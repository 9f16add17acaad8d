"""Runs timer functions on their NCRONTAB schedules, never one twice at a time, and makes up once for what it missed."""

import asyncio
import logging
from datetime import UTC, datetime, timedelta

import azure.functions as func
from croniter import CroniterError, croniter

from local.invocation import invocation
from local.registration import Registered
from local.timer_log import NEVER, TimerLog, TimerStatus
from shared.errors import InvalidError

logger = logging.getLogger(__name__)

EARLY = timedelta(seconds=1)
"""How much sooner than due a timer may fire without firing for the same time again: clocks drift apart."""


class Timer:
    """One timer function.

    Attributes
    ----------
    caught_up : asyncio.Event
        Set when what was past due at the start has been made up for.

    Raises
    ------
    InvalidError
        The schedule is not six NCRONTAB fields: second, minute, hour, day, month, day of week (UTC, Sunday is 0).

    Notes
    -----
    As on Functions, but for two things. A timer that never ran is past due: a desk that starts empty has its data at
    once. And the status of a timer that runs more than once a minute is kept too.
    """

    def __init__(self, function: Registered, log: TimerLog, timeout_seconds: float) -> None:
        self._function = function
        self._log = log
        self._timeout_seconds = timeout_seconds
        self.caught_up = asyncio.Event()
        self._is_monitored = function.trigger.get("useMonitor") is not False
        self._schedule = str(function.trigger["schedule"])
        fields = self._schedule.split()
        if len(fields) != 6 or not croniter.is_valid(self._schedule, second_at_beginning=True):  # noqa: PLR2004
            raise InvalidError(f"{function.name}: {self._schedule!r} is not an NCRONTAB schedule of six fields")
        try:
            next_time(self._schedule, _now())
        except CroniterError as error:
            raise InvalidError(f"{function.name}: {self._schedule!r} names no time that ever comes") from error

    async def run(self) -> None:
        """Invoke the function at its times until cancelled; a run that takes too long delays the next."""
        status = await self._start(self._log.read(self._function.name), _now())
        self.caught_up.set()
        while True:
            await asyncio.sleep(self._seconds_until(status.Next))
            status = await self._invoke(status, _counted(_now(), status.Next))

    def _seconds_until(self, due: datetime) -> float:
        now = _now()
        # A clock that was set back during the run must not stop the timer until it is that late again.
        return max(0.0, (min(due, next_time(self._schedule, now + EARLY)) - now).total_seconds())

    async def _start(self, known: TimerStatus | None, now: datetime) -> TimerStatus:
        """Make up for what was missed, or run because the function asks for it; give when it is due from here."""
        status = known or TimerStatus(Last=NEVER, Next=now, LastUpdated=NEVER)
        is_past_due = self._is_monitored and (known is None or self._was_missed(known, now))
        if is_past_due or self._function.trigger.get("runOnStartup"):
            return await self._invoke(status, now, past_due=is_past_due)
        return status.model_copy(update={"Next": next_time(self._schedule, now)})

    def _was_missed(self, status: TimerStatus, now: datetime) -> bool:
        # Under another schedule nothing was due at that time.
        return next_time(self._schedule, status.LastUpdated) == status.Next <= now

    async def _invoke(self, status: TimerStatus, now: datetime, *, past_due: bool = False) -> TimerStatus:
        request = func.timer.TimerRequest(
            past_due=past_due, schedule_status=status.model_dump(mode="json"), schedule={"AdjustForDST": False}
        )
        with invocation(self._function.name) as invocation_id:
            try:
                async with asyncio.timeout(self._timeout_seconds):
                    await self._function.invoke(request, invocation_id)
            except Exception:  # a failed tick is logged, the next one comes
                logger.exception("%s failed", self._function.name)
        after = TimerStatus(Last=now, Next=next_time(self._schedule, now), LastUpdated=now)
        if self._is_monitored:
            await self._log.write(self._function.name, after)
        return after


def _counted(now: datetime, due: datetime) -> datetime:
    """Give the moment to count the next time from: what is due now, if the timer fires a little early."""
    return due if timedelta() < due - now < EARLY else now


def next_time(schedule: str, moment: datetime) -> datetime:
    """Give the first time after `moment` that an NCRONTAB schedule names; day and day of week must both agree."""
    found: datetime = croniter(schedule, moment, second_at_beginning=True, day_or=False).get_next(datetime)
    return found


def _now() -> datetime:
    return datetime.now(UTC)
