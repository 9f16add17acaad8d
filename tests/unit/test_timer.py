import asyncio
import logging
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import azure.functions as func
import pytest
from hypothesis import given
from hypothesis import strategies as st

from local.registration import Registered
from local.timer import Timer, next_time
from local.timer_log import TimerLog
from shared.errors import InvalidError
from shared.sqlite import Database


@pytest.fixture
def log(tmp_path: Path) -> Iterator[TimerLog]:
    database = Database(tmp_path / "desk.sqlite", ())
    yield TimerLog(database)
    database.close()


def _timer(call: object, log: TimerLog, schedule: str = "* * * * * *") -> Timer:
    assert callable(call)
    trigger = {"type": "timerTrigger", "name": "timer", "schedule": schedule}
    return Timer(Registered("tick", trigger, "timer", call, wants_context=False), log, timeout_seconds=5)


@pytest.mark.parametrize(
    ("schedule", "moment", "expected"),
    [
        ("0 */5 * * * *", "2008-09-15T10:02:30", "2008-09-15T10:05:00"),
        ("*/15 * * * * *", "2008-09-15T10:02:30", "2008-09-15T10:02:45"),
        ("0 30 9 * * 1-5", "2008-09-12T10:00:00", "2008-09-15T09:30:00"),
        ("0 0 0 * * 0", "2008-09-15T00:00:00", "2008-09-21T00:00:00"),
        ("0 0 0 15 * 1", "2008-09-16T00:00:00", "2008-12-15T00:00:00"),
        ("0 0 0 29 2 *", "2008-09-15T00:00:00", "2012-02-29T00:00:00"),
    ],
)
def test_next_time_when_given_an_ncrontab_schedule_is_as_functions_reads_it(
    schedule: str, moment: str, expected: str
) -> None:
    start = datetime.fromisoformat(moment).replace(tzinfo=UTC)
    assert next_time(schedule, start) == datetime.fromisoformat(expected).replace(tzinfo=UTC)


@given(st.datetimes(datetime(2001, 1, 1), datetime(2037, 1, 1)), st.integers(1, 30))
def test_next_time_when_asked_again_moves_forward_by_whole_steps(moment: datetime, step: int) -> None:
    start = moment.replace(tzinfo=UTC)
    found = next_time(f"*/{step} * * * * *", start)
    assert start < found <= start + timedelta(seconds=step)
    assert found.second % step == 0
    assert found.microsecond == 0


@pytest.mark.parametrize("schedule", ["* * * * *", "", "61 * * * * *", "a b c d e f", "0 0 0 * * * *", "0 0 0 31 2 *"])
def test_timer_when_the_schedule_is_not_six_fields_is_refused_with_its_name(log: TimerLog, schedule: str) -> None:
    with pytest.raises(InvalidError, match="tick"):
        _timer(lambda timer: None, log, schedule)


async def _run_until(timer: Timer, enough: asyncio.Event) -> None:
    running = asyncio.create_task(timer.run())
    await asyncio.wait_for(enough.wait(), 30)
    running.cancel()


async def test_timer_when_its_function_is_slow_never_runs_it_twice_at_once(log: TimerLog) -> None:
    running, most, calls, enough = 0, 0, 0, asyncio.Event()

    async def slow(timer: func.TimerRequest) -> None:
        nonlocal running, most, calls
        running, calls = running + 1, calls + 1
        most = max(most, running)
        await asyncio.sleep(1.1)
        running -= 1
        if calls == 2:
            enough.set()

    await _run_until(_timer(slow, log), enough)
    assert most == 1


async def test_timer_when_its_function_fails_goes_on_and_says_so(
    log: TimerLog, caplog: pytest.LogCaptureFixture
) -> None:
    calls, enough = 0, asyncio.Event()

    async def failing(timer: func.TimerRequest) -> None:
        nonlocal calls
        calls += 1
        if calls == 2:
            enough.set()
        raise RuntimeError("the vendor sent nonsense")

    with caplog.at_level(logging.ERROR):
        await _run_until(_timer(failing, log), enough)
    assert "the vendor sent nonsense" in caplog.text


async def test_timer_when_a_tick_comes_late_is_not_past_due_as_on_functions(log: TimerLog) -> None:
    seen: list[bool] = []
    enough = asyncio.Event()

    async def note(timer: func.TimerRequest) -> None:
        seen.append(timer.past_due)
        if len(seen) == 3:
            enough.set()
        else:
            time.sleep(1.2)  # noqa: ASYNC251 - the loop is kept busy on purpose, so that the tick is late

    await _run_until(_timer(note, log), enough)
    assert seen == [True, False, False]


async def test_timer_when_the_wall_clock_is_slow_runs_once_for_each_time(
    log: TimerLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, start = time.monotonic(), datetime(2008, 9, 15, tzinfo=UTC)
    monkeypatch.setattr("local.timer._now", lambda: start + timedelta(seconds=(time.monotonic() - begun) * 0.98))
    due: list[str] = []
    enough = asyncio.Event()

    async def note(timer: func.timer.TimerRequest) -> None:
        due.append(timer.schedule_status["Next"])
        if len(due) == 4:
            enough.set()

    await _run_until(_timer(note, log), enough)
    assert len(set(due)) == len(due)


async def test_timer_when_the_clock_is_set_back_far_goes_on(log: TimerLog, monkeypatch: pytest.MonkeyPatch) -> None:
    back = [timedelta(0)]
    monkeypatch.setattr("local.timer._now", lambda: datetime.now(UTC) - back[0])
    calls, enough = 0, asyncio.Event()

    async def note(timer: func.TimerRequest) -> None:
        nonlocal calls
        calls += 1
        back[0] = timedelta(days=calls)
        if calls == 3:
            enough.set()

    await _run_until(_timer(note, log), enough)
