import asyncio
import logging
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import azure.functions as func
import pytest

from local.registration import registrations
from local.timer import Timer, next_time
from local.timer_log import NEVER, TimerLog, TimerStatus
from shared.sqlite import Database

RARELY = "0 0 0 29 2 *"
NOW = datetime.now(UTC)
PAST = datetime(2008, 9, 15, tzinfo=UTC)
MISSED = TimerStatus(Last=PAST, Next=next_time(RARELY, PAST), LastUpdated=PAST)
WAITING = TimerStatus(Last=NOW, Next=next_time(RARELY, NOW), LastUpdated=NOW)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "desk.sqlite"


@pytest.fixture
def database(file: Path) -> Iterator[Database]:
    database = Database(file, ())
    yield database
    database.close()


class Ticks:
    """A timer function that notes what it is given."""

    def __init__(self) -> None:
        self.seen: list[func.timer.TimerRequest] = []

    def timer(self, log: TimerLog, schedule: str = RARELY, **trigger: Any) -> Timer:
        """Register it, and give its timer."""
        app = func.FunctionApp()

        @app.function_name("tick")
        @app.timer_trigger(arg_name="timer", schedule=schedule, **trigger)
        async def tick(timer: func.timer.TimerRequest) -> None:
            self.seen.append(timer)

        return Timer(registrations(app, {})[0], log, timeout_seconds=5)

    @property
    def past_due(self) -> list[bool]:
        """Give what it was told of each invocation."""
        return [request.past_due for request in self.seen]


async def _start(timer: Timer) -> None:
    running = asyncio.create_task(timer.run())
    await asyncio.wait_for(timer.caught_up.wait(), 30)
    await asyncio.sleep(0.02)
    running.cancel()


async def test_timer_when_it_never_ran_runs_once_and_writes_that_down(database: Database) -> None:
    ticks, log = Ticks(), TimerLog(database)
    await _start(ticks.timer(log))
    assert ticks.past_due == [True]
    status = log.read("tick")
    assert status is not None
    assert status.Last >= NOW
    assert (status.LastUpdated, status.Next) == (status.Last, next_time(RARELY, status.Last))


async def test_timer_when_it_is_restarted_before_it_is_due_does_not_run(file: Path) -> None:
    for expected in ([True], []):
        database, ticks = Database(file, ()), Ticks()
        await _start(ticks.timer(TimerLog(database)))
        database.close()
        assert ticks.past_due == expected


async def test_timer_when_it_missed_several_times_makes_up_for_them_once(database: Database) -> None:
    ticks, log = Ticks(), TimerLog(database)
    await log.write("tick", MISSED)
    await _start(ticks.timer(log))
    assert ticks.past_due == [True]
    status = log.read("tick")
    assert status is not None
    assert status.Next == next_time(RARELY, NOW)


async def test_timer_when_it_makes_up_tells_its_function_what_was_missed(database: Database) -> None:
    ticks, log = Ticks(), TimerLog(database)
    await log.write("tick", MISSED)
    await _start(ticks.timer(log))
    assert ticks.seen[0].schedule_status == {
        "Last": "2008-09-15T00:00:00Z",
        "Next": "2012-02-29T00:00:00Z",
        "LastUpdated": "2008-09-15T00:00:00Z",
    }


@pytest.mark.parametrize(("kept", "expected"), [(WAITING, [False]), (MISSED, [True])])
async def test_timer_when_it_runs_on_startup_runs_once_whether_due_or_not(
    database: Database, kept: TimerStatus, expected: list[bool]
) -> None:
    ticks, log = Ticks(), TimerLog(database)
    await log.write("tick", kept)
    await _start(ticks.timer(log, run_on_startup=True))
    assert ticks.past_due == expected


async def test_timer_when_its_schedule_was_changed_missed_nothing(database: Database) -> None:
    ticks, log = Ticks(), TimerLog(database)
    await log.write("tick", MISSED)
    await _start(ticks.timer(log, "0 0 0 1 1 *"))
    assert ticks.seen == []


async def test_timer_when_it_is_not_monitored_keeps_no_status_and_makes_up_for_nothing(database: Database) -> None:
    ticks, log = Ticks(), TimerLog(database)
    await _start(ticks.timer(log, use_monitor=False))
    await _start(ticks.timer(log, use_monitor=False, run_on_startup=True))
    assert (ticks.past_due, log.read("tick")) == ([False], None)


async def test_timer_when_the_clock_was_set_back_since_waits_for_its_next_time(database: Database) -> None:
    ticks, log = Ticks(), TimerLog(database)
    ahead = NOW + timedelta(days=900)
    await log.write("tick", TimerStatus(Last=ahead, Next=next_time("* * * * * *", ahead), LastUpdated=ahead))
    timer = ticks.timer(log, "* * * * * *")
    running = asyncio.create_task(timer.run())
    async with asyncio.timeout(20):
        while not ticks.seen:  # noqa: ASYNC110 - the function has no other way to tell
            await asyncio.sleep(0.01)
    running.cancel()
    assert ticks.past_due == [False]


@pytest.mark.parametrize("garbage", ["", "{", "{}", "[]", "null", '{"Last": "soon"}', b"\xff\x00"])
async def test_timer_when_its_status_is_garbage_says_so_and_runs_as_if_it_never_had(
    database: Database, caplog: pytest.LogCaptureFixture, garbage: str | bytes
) -> None:
    ticks, log = Ticks(), TimerLog(database)
    await database.write(lambda to: to.execute("INSERT INTO timers VALUES ('tick', ?)", (garbage,)))
    with caplog.at_level(logging.WARNING):
        await _start(ticks.timer(log))
    assert "the status of the timer tick is void" in caplog.text
    assert ticks.past_due == [True]
    assert log.read("tick") is not None


async def test_timer_when_its_status_is_naive_takes_it_for_garbage(
    database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    log = TimerLog(database)
    row = TimerStatus(Last=NEVER, Next=NEVER, LastUpdated=NEVER).model_dump_json().replace("Z", "")
    await database.write(lambda to: to.execute("INSERT INTO timers VALUES ('tick', ?)", (row,)))
    assert log.read("tick") is None
    assert "Last: Input should have timezone info" in caplog.text


async def test_timer_when_its_status_cannot_be_written_goes_on_and_says_so_once_each_time(
    database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    log = TimerLog(database)
    for outages in (1, 2):
        database.set_up("ALTER TABLE timers RENAME TO away")
        for _ in range(2):
            await log.write("tick", WAITING)
        assert caplog.text.count("the status of the timer tick is not kept") == outages
        database.set_up("ALTER TABLE away RENAME TO timers")
        await log.write("tick", WAITING)
        assert log.read("tick") == WAITING
