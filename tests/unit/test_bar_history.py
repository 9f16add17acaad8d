"""The history of bars: what was read before changes no answer."""

from collections.abc import Sequence
from datetime import datetime

from hypothesis import given
from hypothesis import strategies as st

from shared.projections.bar import BarHistory, rows
from shared.projections.in_memory import InMemoryProjectionStore
from tests.builders import CLOSE, DAY, a_bar, market_data


def came_in(latest: int) -> st.SearchStrategy[list[tuple[int, int, int]]]:
    """Give days that closed, how many days later each became known, and its price: corrected ones among them."""
    rows = st.tuples(st.integers(0, 9), st.integers(-1, latest), st.integers(1, 5))
    return st.lists(rows, min_size=1, max_size=20)


ROWS = st.one_of(came_in(0), came_in(3))


async def asked(
    history: BarHistory, as_of: datetime, limit: int
) -> tuple[Sequence[datetime], list[float], list[float]]:
    closes = await history.closes("AAPL", as_of, limit=limit)
    return closes.moments, closes.prices.tolist(), closes.volumes.tolist()


@given(ROWS, st.integers(1, 6), st.integers(0, 12))
async def test_closes_when_read_while_bars_come_are_those_of_who_reads_first_now(
    came: list[tuple[int, int, int]], limit: int, asked_on: int
) -> None:
    store = InMemoryProjectionStore()
    kept = BarHistory(store, "1Day")
    for day, late, price in came:
        closed_at = CLOSE + day * DAY
        bar = a_bar(close=price, open=price, high=price, low=price, volume=price, closed_at=closed_at)
        await store.apply(rows(market_data(bar).model_copy(update={"time": closed_at + late * DAY})))
        as_of = max(closed_at + late * DAY, CLOSE + asked_on * DAY)
        assert await asked(kept, as_of, limit) == await asked(BarHistory(store, "1Day"), as_of, limit)


@given(ROWS, st.integers(1, 6), st.integers(0, 12), st.integers(-1, 9), st.integers(0, 9))
async def test_bars_when_some_came_late_are_those_known_last_of_each_moment(
    came: list[tuple[int, int, int]], limit: int, asked_on: int, after: int, until: int
) -> None:
    store, known = InMemoryProjectionStore(), dict[int, tuple[int, int]]()
    for day, late, price in came:
        bar = a_bar(close=price, open=price, high=price, low=price, closed_at=CLOSE + day * DAY)
        await store.apply(rows(market_data(bar).model_copy(update={"time": CLOSE + (day + late) * DAY})))
        # Of two that became known at once, the one whose JSON sorts last.
        if after < day <= min(until, asked_on) and day + late <= asked_on:
            known[day] = max(known.get(day, (-1, 0)), (late, price))
    found = await BarHistory(store, "1Day").read(
        "AAPL", CLOSE + asked_on * DAY, after=CLOSE + after * DAY, until=CLOSE + until * DAY, limit=limit
    )
    assert [bar.close for bar in found] == [known[day][1] for day in sorted(known)][-limit:]
