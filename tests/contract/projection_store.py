"""The contract of the projection store: what was known at a moment, whatever order it came in.

An adapter's tests subclass it as `Test<Adapter>` and say how an empty store is opened.
"""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Iterable
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.projections.port import Edition, ProjectionStore, Row
from tests.builders import CLOSE, DAY, HOUR
from tests.contract.orderings import ORDERINGS

INSTANT = timedelta(microseconds=1)
MOMENTS = [CLOSE + number * DAY for number in range(4)]


def a_row(
    body: str = "fact",
    *,
    valid_at: datetime = CLOSE,
    known_at: datetime | None = None,
    view: str = "bar:1Day",
    key: str = "AAPL",
) -> Row:
    """Give a row that is known as soon as it is valid unless said otherwise."""
    return Row(view, key, valid_at, known_at or valid_at, body.encode())


FIRST = a_row("as first reported", valid_at=CLOSE)
CORRECTED = a_row("as corrected", valid_at=CLOSE, known_at=CLOSE + DAY)
NEXT = a_row("the next day", valid_at=CLOSE + DAY)
AGAIN = a_row("as corrected again", valid_at=CLOSE, known_at=CLOSE + 2 * DAY)
EARLY = a_row("known before it is valid", valid_at=CLOSE + 3 * DAY, known_at=CLOSE)
ELSEWHERE = a_row("another symbol", key="IBM")
HISTORY = (FIRST, CORRECTED, NEXT, AGAIN, EARLY, ELSEWHERE)

rows_at_random = st.lists(
    st.builds(
        lambda valid_at, known_at, key: a_row(
            f"{key} {valid_at} {known_at}", valid_at=valid_at, known_at=known_at, key=key
        ),
        st.sampled_from(MOMENTS),
        st.sampled_from(MOMENTS),
        st.sampled_from(["AAPL", "IBM"]),
    ),
    max_size=12,
)


def expected(
    rows: Iterable[Row],
    key: str,
    as_of: datetime,
    after: datetime | None = None,
    until: datetime | None = None,
    limit: int = 100,
) -> list[Row]:
    """Say what a read must give, by going through all rows."""
    seen = [row for row in rows if row.key == key and row.known_at <= as_of and row.valid_at <= as_of]
    seen = [row for row in seen if (after is None or row.valid_at > after) and (until is None or row.valid_at <= until)]
    latest = {row.valid_at: row for row in sorted(seen, key=lambda row: row.known_at)}
    return [latest[moment] for moment in sorted(latest)][-limit:]


class ProjectionStoreContract(ABC):
    """What holds for every `ProjectionStore`."""

    @abstractmethod
    def opened(self) -> AbstractAsyncContextManager[ProjectionStore]:
        """Open an empty store."""

    @pytest.fixture
    async def store(self) -> AsyncIterator[ProjectionStore]:
        """Give an empty store."""
        async with self.opened() as store:
            yield store

    async def test_read_when_there_is_nothing_gives_nothing(self, store: ProjectionStore) -> None:
        assert await store.read("bar:1Day", "AAPL", CLOSE) == []

    async def test_read_when_the_row_is_known_gives_it_as_it_was_written(self, store: ProjectionStore) -> None:
        row = a_row('{"größer": "📈", "n": 1.10 }', known_at=CLOSE + INSTANT)
        await store.apply([row])
        assert await store.read("bar:1Day", "AAPL", CLOSE + DAY) == [row]

    @pytest.mark.parametrize(
        ("as_of", "seen"),
        [
            (CLOSE - INSTANT, []),
            (CLOSE, [FIRST]),
            (CLOSE + DAY - INSTANT, [FIRST]),
            (CLOSE + DAY, [CORRECTED, NEXT]),
            (CLOSE + 2 * DAY - INSTANT, [CORRECTED, NEXT]),
            (CLOSE + 2 * DAY, [AGAIN, NEXT]),
            (CLOSE + 3 * DAY, [AGAIN, NEXT, EARLY]),
        ],
    )
    async def test_read_when_as_of_moves_gives_what_was_known_then(
        self, store: ProjectionStore, as_of: datetime, seen: list[Row]
    ) -> None:
        await store.apply(HISTORY)
        assert await store.read("bar:1Day", "AAPL", as_of, limit=10) == seen

    async def test_read_when_a_moment_is_given_leaves_out_what_is_not_after_it(self, store: ProjectionStore) -> None:
        await store.apply([a_row(str(moment), valid_at=moment) for moment in MOMENTS])
        found = await store.read("bar:1Day", "AAPL", MOMENTS[2], after=MOMENTS[0], limit=10)
        assert [row.valid_at for row in found] == MOMENTS[1:3]
        found = await store.read("bar:1Day", "AAPL", MOMENTS[2], after=MOMENTS[0] - INSTANT, limit=10)
        assert [row.valid_at for row in found] == MOMENTS[:3]

    @pytest.mark.parametrize(
        ("until", "seen"),
        [
            (MOMENTS[0] - INSTANT, []),
            (MOMENTS[1] - INSTANT, MOMENTS[:1]),
            (MOMENTS[1], MOMENTS[:2]),
            (MOMENTS[2], MOMENTS[1:3]),
            (MOMENTS[3], MOMENTS[1:3]),
        ],
    )
    async def test_read_when_it_ends_before_now_gives_the_newest_until_then(
        self, store: ProjectionStore, until: datetime, seen: list[datetime]
    ) -> None:
        await store.apply([a_row(str(moment), valid_at=moment) for moment in MOMENTS])
        found = await store.read("bar:1Day", "AAPL", MOMENTS[2], until=until, limit=2)
        assert [row.valid_at for row in found] == seen

    async def test_read_when_it_ends_before_now_gives_corrections_known_now(self, store: ProjectionStore) -> None:
        await store.apply(HISTORY)
        assert await store.read("bar:1Day", "AAPL", CLOSE + 2 * DAY, until=CLOSE) == [AGAIN]

    @pytest.mark.parametrize("limit", [0, 1, 2, 3, 4, 5])
    async def test_read_when_limited_gives_the_newest_oldest_first(self, store: ProjectionStore, limit: int) -> None:
        await store.apply([a_row(str(moment), valid_at=moment) for moment in MOMENTS])
        found = await store.read("bar:1Day", "AAPL", MOMENTS[-1], limit=limit)
        assert [row.valid_at for row in found] == MOMENTS[max(0, 4 - limit) :]

    async def test_read_when_not_told_how_many_gives_the_newest(self, store: ProjectionStore) -> None:
        await store.apply([a_row(str(moment), valid_at=moment) for moment in MOMENTS])
        assert [row.valid_at for row in await store.read("bar:1Day", "AAPL", MOMENTS[2])] == [MOMENTS[2]]

    async def test_read_when_a_row_was_corrected_counts_it_once_towards_the_limit(self, store: ProjectionStore) -> None:
        await store.apply(HISTORY)
        assert await store.read("bar:1Day", "AAPL", CLOSE + 2 * DAY, limit=2) == [AGAIN, NEXT]

    async def test_read_when_a_correction_is_of_an_old_row_keeps_the_order_of_moments(
        self, store: ProjectionStore
    ) -> None:
        await store.apply([NEXT, AGAIN])
        assert await store.read("bar:1Day", "AAPL", CLOSE + 2 * DAY) == [NEXT]

    async def test_read_when_moments_are_before_1970_gives_them_too(self, store: ProjectionStore) -> None:
        row = a_row(valid_at=datetime(1929, 10, 29, 20, tzinfo=UTC))
        await store.apply([row])
        assert await store.read("bar:1Day", "AAPL", CLOSE) == [row]
        assert await store.read("bar:1Day", "AAPL", CLOSE, after=row.valid_at - HOUR) == [row]

    async def test_read_when_moments_are_in_another_zone_means_the_same_instants(self, store: ProjectionStore) -> None:
        zone = timezone(-5 * HOUR)
        await store.apply([a_row(valid_at=CLOSE.astimezone(zone))])
        assert await store.read("bar:1Day", "AAPL", CLOSE.astimezone(zone)) == [a_row()]
        assert await store.read("bar:1Day", "AAPL", (CLOSE - INSTANT).astimezone(zone)) == []

    async def test_rows_when_view_or_key_differ_are_apart(self, store: ProjectionStore) -> None:
        rows = [a_row("a"), a_row("b", key="IBM"), a_row("c", view="bar:1Hour")]
        await store.apply(rows)
        homes = [("bar:1Day", "AAPL"), ("bar:1Day", "IBM"), ("bar:1Hour", "AAPL"), ("bar:1Hour", "IBM")]
        assert [await store.read(view, key, CLOSE) for view, key in homes] == [[row] for row in rows] + [[]]

    @pytest.mark.parametrize("order", [("low", "mid", "top"), ("top", "low", "mid"), ("mid", "top", "low")])
    async def test_rows_when_they_share_their_moments_leave_the_same_one_in_any_order(
        self, store: ProjectionStore, order: tuple[str, ...]
    ) -> None:
        for body in order:
            await store.apply([a_row(body)])
        assert await store.read("bar:1Day", "AAPL", CLOSE, limit=10) == [a_row("top")]

    async def test_apply_when_there_is_nothing_to_apply_does_nothing(self, store: ProjectionStore) -> None:
        await store.apply([])
        assert await store.keys("bar:1Day") == []

    async def test_keys_when_there_are_several_are_of_the_view_alone_and_sorted(self, store: ProjectionStore) -> None:
        keys = ["b", "B", "a", "ä", "BRK.B", "a1"]
        await store.apply([a_row(key=key) for key in keys] + [a_row(key="other", view="portfolio"), CORRECTED])
        assert await store.keys("bar:1Day") == sorted([*keys, "AAPL"])
        assert await store.keys("portfolio") == ["other"]

    async def test_clear_when_there_are_rows_forgets_all(self, store: ProjectionStore) -> None:
        await store.apply(HISTORY)
        await store.clear()
        assert await store.read("bar:1Day", "AAPL", CLOSE + DAY) == []
        assert await store.keys("bar:1Day") == []
        await store.apply([FIRST])
        assert await store.read("bar:1Day", "AAPL", CLOSE + DAY) == [FIRST]

    async def test_rows_when_applied_by_many_at_once_are_all_there(self, store: ProjectionStore) -> None:
        rows = [a_row(str(number), valid_at=CLOSE + number * HOUR) for number in range(100)]
        await asyncio.gather(*(store.apply([row]) for row in rows))
        assert await store.read("bar:1Day", "AAPL", CLOSE + 5 * DAY, limit=200) == rows

    async def test_edition_when_there_are_no_rows_is_none(self, store: ProjectionStore) -> None:
        assert store.edition("bar:1Day", "AAPL") is None

    @ORDERINGS
    @given(rows=rows_at_random)
    async def test_edition_when_it_stays_the_same_promises_the_same_rows_from_its_newest_moment_on(
        self, rows: list[Row]
    ) -> None:
        async with self.opened() as store:
            read = dict[Edition, list[Row]]()
            for row in rows:
                await store.apply([row])
                edition = store.edition("bar:1Day", "AAPL")
                for as_of in MOMENTS if edition else []:
                    found = await store.read("bar:1Day", "AAPL", as_of, limit=10)
                    if edition and as_of >= edition.newest:
                        assert found == read.setdefault(edition, found)

    async def test_edition_when_the_store_was_cleared_and_filled_alike_is_another(self, store: ProjectionStore) -> None:
        await store.apply([FIRST])
        before = store.edition("bar:1Day", "AAPL")
        await store.clear()
        assert store.edition("bar:1Day", "AAPL") is None
        await store.apply([FIRST])
        assert before is None or store.edition("bar:1Day", "AAPL") != before

    @ORDERINGS
    @given(order=st.permutations(range(len(HISTORY))), repeated=st.lists(st.sampled_from(HISTORY), max_size=3))
    async def test_rows_when_applied_in_any_order_and_again_are_read_the_same(
        self, order: list[int], repeated: list[Row]
    ) -> None:
        async with self.opened() as store:
            for place in order:
                await store.apply([HISTORY[place]])
            await store.apply(repeated)
            for as_of in MOMENTS:
                assert await store.read("bar:1Day", "AAPL", as_of, limit=10) == expected(HISTORY, "AAPL", as_of)

    @ORDERINGS
    @given(
        rows=rows_at_random,
        as_of=st.sampled_from(MOMENTS),
        after=st.none() | st.sampled_from(MOMENTS),
        until=st.none() | st.sampled_from(MOMENTS),
        limit=st.integers(1, 3),
    )
    async def test_read_when_the_future_is_full_of_canaries_sees_none_of_them(
        self, rows: list[Row], as_of: datetime, after: datetime | None, until: datetime | None, limit: int
    ) -> None:
        past = [row for row in rows if max(row.valid_at, row.known_at) <= as_of]
        async with self.opened() as store:
            await store.apply(rows)
            for key in ("AAPL", "IBM"):
                found = await store.read("bar:1Day", key, as_of, after=after, until=until, limit=limit)
                assert found == expected(past, key, as_of, after, until, limit)
