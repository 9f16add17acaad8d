"""The desk clock: the one time that agents, requests and deadlines live by.

When live it is wall time. On the recorded feed it runs through the past at a pace of the user's choice. Ids and
decisions never depend on when a machine happened to do the work.
"""

import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    """A desk clock."""

    @property
    def pace(self) -> float:
        """Desk seconds that pass in one wall second."""
        ...

    def now(self) -> datetime:
        """Give the desk time, UTC."""
        ...


class WallClock:
    """Desk time is wall time."""

    pace = 1.0

    def now(self) -> datetime:
        """Give the wall time, UTC."""
        return datetime.now(UTC)  # the one place that reads it


class FeedClock:
    """Desk time that starts at a moment of the past and runs `pace` times as fast as the wall.

    Measured on the monotonic clock: a correction of the machine's clock moves nothing.

    Parameters
    ----------
    start : datetime
        Desk time at construction, tz-aware.
    pace : float
        Desk seconds per wall second, positive.
    """

    def __init__(self, start: datetime, pace: float) -> None:
        self._start = start.astimezone(UTC)
        self._begun = time.monotonic()
        self.pace = pace

    def now(self) -> datetime:
        """Give the desk time, UTC."""
        return self._start + timedelta(seconds=(time.monotonic() - self._begun) * self.pace)


@dataclass
class ManualClock:
    """Desk time that moves only when told: for replays and tests."""

    moment: datetime
    pace: float = 1.0

    def now(self) -> datetime:
        """Give the desk time that was last set."""
        return self.moment

    def advance(self, delta: timedelta) -> None:
        """Move the desk time forward."""
        self.moment += delta


def wall_seconds() -> float:
    """Give the wall time in seconds since 1970, for what is only telemetry or must outlive a restart."""
    return time.time()


def after(clock: Clock, moment: datetime, seconds: float) -> datetime:
    """Give the desk time that comes `seconds` of wall time after the desk time `moment`."""
    return moment + timedelta(seconds=seconds * clock.pace)


def wall_seconds_until(clock: Clock, moment: datetime) -> float:
    """Give how many wall seconds are left until the desk time `moment`; negative when it has passed."""
    return (moment - clock.now()).total_seconds() / clock.pace
