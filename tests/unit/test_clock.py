"""The desk clock: wall time, a feed that runs at a pace, and time that moves only when told."""

import time
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.clock import Clock, FeedClock, ManualClock, WallClock, after, wall_seconds, wall_seconds_until
from tests.builders import CLOSE, HOUR, MINUTE

PACES = st.floats(min_value=0.01, max_value=100_000)


def test_wall_clock_when_read_gives_the_wall_time_in_utc() -> None:
    before = datetime.now(UTC)
    now = WallClock().now()
    assert before <= now <= datetime.now(UTC)
    assert now.tzinfo is UTC
    assert WallClock().pace == 1.0


def test_wall_seconds_when_read_are_those_of_the_wall_clock() -> None:
    before = time.time()
    assert before <= wall_seconds() <= time.time()


@pytest.mark.parametrize("pace", [0.5, 1.0, 3_600.0])
def test_feed_clock_when_wall_seconds_pass_runs_at_its_pace(pace: float) -> None:
    outer = time.monotonic()
    clock = FeedClock(CLOSE, pace)
    inner = time.monotonic()
    time.sleep(0.01)
    least = time.monotonic() - inner
    passed = (clock.now() - CLOSE).total_seconds()
    most = time.monotonic() - outer
    assert least * pace - 1e-6 <= passed <= most * pace + 1e-6


def test_feed_clock_when_read_often_never_goes_back() -> None:
    clock = FeedClock(CLOSE, 1_000.0)
    moments = [clock.now() for _ in range(1_000)]
    assert moments == sorted(moments)
    assert moments[0] >= CLOSE


def test_feed_clock_when_it_starts_in_another_zone_tells_utc() -> None:
    clock = FeedClock(CLOSE.astimezone(timezone(-5 * HOUR)), 1.0)
    assert clock.now().tzinfo is UTC
    assert CLOSE <= clock.now() < CLOSE + MINUTE


def test_manual_clock_when_not_told_stands_still() -> None:
    clock = ManualClock(CLOSE)
    assert [clock.now(), clock.now()] == [CLOSE, CLOSE]
    clock.advance(HOUR)
    assert clock.now() == CLOSE + HOUR


@pytest.mark.parametrize("clock", [WallClock(), FeedClock(CLOSE, 60.0), ManualClock(CLOSE, 60.0)])
def test_wall_seconds_until_when_the_moment_is_past_are_negative(clock: Clock) -> None:
    assert wall_seconds_until(clock, clock.now() - MINUTE) < 0 < wall_seconds_until(clock, clock.now() + HOUR)


def test_after_when_the_desk_runs_fast_is_further_away_in_desk_time() -> None:
    assert after(ManualClock(CLOSE, 60.0), CLOSE, 30.0) == CLOSE + 30 * MINUTE


@given(pace=PACES, seconds=st.floats(min_value=0, max_value=86_400))
def test_wall_seconds_until_when_asked_about_a_moment_after_some_give_those_back(pace: float, seconds: float) -> None:
    clock = ManualClock(CLOSE, pace)
    moment = after(clock, clock.now(), seconds)
    resolution = timedelta.resolution.total_seconds() / pace
    assert wall_seconds_until(clock, moment) == pytest.approx(seconds, abs=resolution, rel=1e-9)
