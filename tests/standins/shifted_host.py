"""The `finagent` command on a machine whose wall clock somebody sets: `CLOCK_FILE` holds the hours that it is off.

Every reading of wall time in the program is shifted; what measures spans stays right, as on a real machine. libfaketime
would shift the whole process, but slows down every look at any clock so much that the desk does not get to work.
"""

import os
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from shared import clock


def _hours() -> float:
    return float(Path(os.environ["CLOCK_FILE"]).read_text("ascii"))


def _now() -> datetime:
    return datetime.now(UTC) + timedelta(hours=_hours())


def _wall_seconds() -> float:
    return time.time() + _hours() * 3_600


if __name__ == "__main__":
    clock.wall_seconds = _wall_seconds  # before anybody imports it from there
    clock.WallClock.now = lambda _self: _now()  # type: ignore[method-assign,assignment]
    from local import timer
    from local.cli import app

    timer._now = _now
    app()
