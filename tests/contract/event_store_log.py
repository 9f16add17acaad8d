"""Contract of the event store: the log. What is in it never changes, and readers miss nothing."""

import asyncio
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import InvalidError, MissingError
from shared.events.envelope import EVERYBODY, OPERATORS, Event
from shared.store.port import EventStore, Filter
from tests.builders import (
    CLOSE,
    DAY,
    HOUR,
    SECOND,
    a_bar,
    a_headline,
    a_portfolio,
    a_trade_request,
    altered,
    market_data,
)
from tests.contract.event_store_bench import ALL, EventStoreBench, bodies, read_all
from tests.contract.orderings import ORDERINGS

MALFORMED = ["nonsense", "7", "-", "0000000g-1", "00000000-", "00000000-1 ", "00000000--1", "00000000-٣", "\x00", "😀"]

EVENTS: tuple[Event, ...] = (
    a_portfolio("main"),
    a_portfolio("main", {"IBM": 5}),
    a_portfolio("other"),
    a_trade_request(id="t1"),
    a_trade_request(id="t2", run="replay-1"),
    market_data(),
    market_data(id="m2", run="replay-1"),
    altered(a_portfolio("main"), id="p-alice", owner="alice"),
    altered(a_trade_request(), id="t-bob", stream="market-0", owner="bob"),
)
FILTERS = st.builds(
    Filter,
    types=st.sampled_from([(), ("portfolio.changed",), ("portfolio.changed", "trade.requested"), ("news.received",)]),
    stream=st.sampled_from(["", "portfolio-main", "market-0", "nowhere"]),
    correlation=st.sampled_from(["", "t1", EVENTS[0].id]),
    run=st.sampled_from(["", "replay-1", "replay-2"]),
    audiences=st.sampled_from([(), (EVERYBODY,), (EVERYBODY, "alice"), (EVERYBODY, "carol"), ("bob",), (OPERATORS,)]),
)


class Log(EventStoreBench):
    """Append, get, page, wait and latest."""

    async def test_check_when_the_store_works_changes_nothing(self, store: EventStore) -> None:
        end = await store.end()
        await store.check()
        assert await store.end() == end

    async def test_append_when_events_are_new_gives_them_in_order(self, store: EventStore) -> None:
        events = [a_trade_request(id=name) for name in "bac"]
        assert await store.append(events) == events
        assert self.in_order(await read_all(store)) == self.in_order(bodies(events))

    async def test_append_when_an_event_is_there_already_gives_only_the_others(self, store: EventStore) -> None:
        old, new = a_trade_request(id="old"), a_trade_request(id="new")
        await store.append([old])
        assert await store.append([old, new]) == [new]
        assert self.in_order(await read_all(store)) == self.in_order(bodies([old, new]))

    async def test_append_when_an_id_is_there_with_other_content_keeps_the_first(self, store: EventStore) -> None:
        first, second = a_trade_request(id="t", quantity=1), a_trade_request(id="t", quantity=2)
        await store.append([first])
        assert await store.append([second]) == []
        assert await store.get("t") == first.json_bytes
        assert await read_all(store) == bodies([first])

    async def test_append_when_an_id_is_twice_in_a_batch_keeps_the_first(self, store: EventStore) -> None:
        first, second = a_trade_request(id="t", quantity=1), a_trade_request(id="t", quantity=2)
        assert await store.append([first, second]) == [first]
        assert await read_all(store) == bodies([first])

    async def test_append_when_there_is_nothing_to_append_does_nothing(self, store: EventStore) -> None:
        assert await store.append([]) == []
        assert await read_all(store) == []

    @pytest.mark.parametrize(
        "event",
        [
            a_headline('Apple: «größer» 📈 \\ "quoted" \u2028 and\ttabs'),
            market_data(a_bar(open=0.1 + 0.2, close=1e12, volume=1e-300)),
            a_trade_request(time=datetime(2008, 1, 2, 21, 0, 0, 123456, UTC)),
        ],
        ids=["text", "numbers", "microseconds"],
    )
    async def test_get_when_the_event_is_stored_gives_its_very_bytes(self, store: EventStore, event: Event) -> None:
        await store.append([event])
        assert await store.get(event.id) == event.json_bytes
        assert await read_all(store) == [event.json_bytes]

    async def test_get_when_the_event_is_unknown_gives_none(self, store: EventStore) -> None:
        await store.append([a_trade_request(id="t")])
        assert await store.get("u") is None

    async def test_get_when_the_stream_is_named_looks_there_alone(self, store: EventStore) -> None:
        event = a_trade_request(id="t", stream="trade-t")
        await store.append([event])
        assert await store.get("t", "trade-t") == event.json_bytes
        assert await store.get("t", "trade-u") is None
        assert await store.get("u", "trade-t") is None

    async def test_page_when_the_log_is_longer_goes_on_at_its_cursor(self, store: EventStore) -> None:
        events = [a_trade_request(id=f"t{number}") for number in range(5)]
        await store.append(events)
        first = await store.page(ALL, "", 2)
        second = await store.page(ALL, first.cursor, 2)
        third = await store.page(ALL, second.cursor, 2)
        assert [len(page.events) for page in (first, second, third)] == [2, 2, 1]
        assert self.in_order([*first.events, *second.events, *third.events]) == self.in_order(bodies(events))

    async def test_page_when_the_log_is_read_to_its_end_gives_nothing_and_stays(self, store: EventStore) -> None:
        await store.append(EVENTS)
        end = await store.end()
        page = await store.page(ALL, end, 10)
        assert (page.events, page.cursor) == ([], end)

    async def test_page_when_the_log_is_empty_gives_a_cursor_to_begin_with(self, store: EventStore) -> None:
        cursor = (await store.page(ALL, "", 10)).cursor
        await store.append(EVENTS[:1])
        assert (await store.page(ALL, cursor, 10)).events == bodies(EVENTS[:1])

    async def test_page_when_events_came_after_the_last_one_gives_those(self, store: EventStore) -> None:
        await store.append([a_trade_request(id="old")])
        cursor = await store.end()
        new = a_trade_request(id="new")
        await store.append([a_trade_request(id="old"), new])
        assert (await store.page(ALL, cursor, 10)).events == [new.json_bytes]

    async def test_page_when_nothing_matches_has_a_cursor_behind_what_was_searched(self, store: EventStore) -> None:
        await store.append(EVENTS)
        page = await store.page(Filter(types=("news.received",)), "", 1)
        assert (page.events, page.cursor) == ([], await store.end())

    async def test_page_when_it_is_filled_has_a_cursor_right_behind_its_last_event(self, store: EventStore) -> None:
        await store.append(EVENTS)
        page = await store.page(Filter(stream="portfolio-main"), "", 1)
        assert page.events == bodies(EVENTS[:1])
        left = bodies([event for event in EVENTS[1:] if not event.run])
        assert self.in_order(await read_all(store, after=page.cursor, limit=1)) == self.in_order(left)

    async def test_page_when_the_reader_is_live_shows_nothing_of_a_replay(self, store: EventStore) -> None:
        live, replayed = a_trade_request(id="live"), a_trade_request(id="replayed", run="replay-1")
        await store.append([live, replayed])
        assert await read_all(store) == [live.json_bytes]
        assert await read_all(store, Filter(run="replay-1")) == [replayed.json_bytes]

    @ORDERINGS
    @given(order=st.permutations(range(len(EVENTS))), wanted=FILTERS, limit=st.integers(1, 4), batch=st.integers(1, 7))
    async def test_pages_when_put_together_are_all_that_the_filter_wants_in_order(
        self, order: list[int], wanted: Filter, limit: int, batch: int
    ) -> None:
        events = [EVENTS[place] for place in order]
        async with self.opened() as store:
            for start in range(0, len(events), batch):
                await store.append(events[start : start + batch])
            found = await read_all(store, wanted, limit=limit)
            assert self.in_order(found) == self.in_order([e.json_bytes for e in events if _is_in(wanted, e)])

    @ORDERINGS
    @given(wanted=FILTERS, limit=st.integers(1, 6))
    async def test_newest_when_events_came_one_after_the_other_are_the_last_and_go_on_behind_them(
        self, wanted: Filter, limit: int
    ) -> None:
        events = [altered(event, time=CLOSE + place * SECOND) for place, event in enumerate(EVENTS)]
        async with self.opened() as store:
            for event in events:
                await store.append([event])
            page = await store.newest(wanted, limit)
            assert page.events == [event.json_bytes for event in events if _is_in(wanted, event)][-limit:]
            late = a_trade_request(id="late")
            await store.append([late])
            assert (await store.page(ALL, page.cursor, 10)).events == [late.json_bytes]

    async def test_newest_when_the_log_is_empty_gives_a_cursor_to_begin_with(self, store: EventStore) -> None:
        page = await store.newest(ALL, 10)
        await store.append(EVENTS[:1])
        assert (page.events, (await store.page(ALL, page.cursor, 10)).events) == ([], bodies(EVENTS[:1]))

    async def test_pages_when_they_are_for_a_caller_fill_up_in_the_order_of_the_log(self, store: EventStore) -> None:
        hers = [altered(a_trade_request(id=f"t{n}"), owner="alice", stream="market-0") for n in range(9)]
        others = [altered(a_trade_request(id=f"o{n}"), owner="bob", stream="market-0") for n in range(9)]
        public = [market_data(id=f"m{n}") for n in range(9)]
        mixed = [event for three in zip(hers, others, public, strict=True) for event in three]
        await store.append(mixed)
        wanted = [event.json_bytes for event in mixed if event.owner != "bob"]
        for limit in (1, 4, 100):
            assert await read_all(store, Filter(audiences=(EVERYBODY, "alice")), limit=limit) == wanted
            both = Filter(types=("trade.requested", "market.data.received"), audiences=(EVERYBODY, "alice"))
            assert (await store.newest(both, limit)).events == wanted[-limit:]

    @pytest.mark.parametrize("cursor", MALFORMED)
    async def test_cursor_when_malformed_is_refused(self, store: EventStore, cursor: str) -> None:
        with pytest.raises(InvalidError, match="after"):
            await store.page(ALL, cursor, 10)
        with pytest.raises(InvalidError, match="after"):
            await store.wait(cursor, 0)

    async def test_cursor_when_it_belongs_to_another_log_is_missed(self, store: EventStore) -> None:
        await store.append(EVENTS)
        async with self.opened() as other:
            await other.append(EVENTS[:2])
            foreign = await other.end()
        with pytest.raises(MissingError, match="after"):
            await store.page(ALL, foreign, 10)
        with pytest.raises(MissingError, match="after"):
            await store.wait(foreign, 0)

    async def test_wait_when_there_are_events_already_returns_at_once(self, store: EventStore) -> None:
        cursor = await store.end()
        await store.append(EVENTS[:1])
        async with asyncio.timeout(5):
            await store.wait(cursor, 60)
            await store.wait("", 60)

    async def test_wait_when_an_event_is_appended_returns(self, store: EventStore) -> None:
        await store.append(EVENTS[:1])
        cursor = await store.end()
        async with asyncio.timeout(5), asyncio.TaskGroup() as group:
            waiting = [group.create_task(store.wait(cursor, 60)) for _ in range(3)]
            await asyncio.sleep(0)
            assert not any(task.done() for task in waiting)
            await store.append(EVENTS[1:2])

    async def test_wait_when_the_append_is_under_way_misses_it_never(self, store: EventStore) -> None:
        for number in range(20):
            cursor = await store.end()
            appending = asyncio.create_task(store.append([a_trade_request(id=f"t{number}")]))
            for _ in range(number % 4):
                await asyncio.sleep(0)
            async with asyncio.timeout(5):
                await store.wait(cursor, 60)
            await appending

    async def test_wait_when_nothing_comes_returns_after_its_time(self, store: EventStore) -> None:
        await store.append(EVENTS)
        async with asyncio.timeout(5):
            await store.wait(await store.end(), 0.01)

    async def test_latest_when_as_of_moves_gives_what_had_happened_by_then(self, store: EventStore) -> None:
        older, newer = a_portfolio(time=CLOSE), a_portfolio(time=CLOSE + DAY)
        await store.append([older, newer])
        asked = [CLOSE - SECOND, CLOSE, CLOSE + DAY - SECOND, CLOSE + DAY, CLOSE + 2 * DAY]
        found = [await store.latest("portfolio-main", "portfolio.changed", moment) for moment in asked]
        assert found == [None, *bodies([older, older, newer, newer])]

    async def test_latest_when_an_older_event_came_late_goes_by_when_it_happened(self, store: EventStore) -> None:
        newer, late = a_portfolio(time=CLOSE + HOUR), a_portfolio(time=CLOSE)
        await store.append([newer])
        await store.append([late])
        assert await store.latest("portfolio-main", "portfolio.changed", CLOSE + DAY) == newer.json_bytes

    async def test_latest_when_several_happened_at_once_gives_the_last_in_the_log(self, store: EventStore) -> None:
        events = [a_portfolio(cash=cash) for cash in (2.0, 3.0, 1.0)]
        await store.append(events)
        assert await store.latest("portfolio-main", "portfolio.changed", CLOSE) == events[-1].json_bytes

    async def test_latest_when_stream_or_type_differ_looks_past_them(self, store: EventStore) -> None:
        wanted = a_portfolio("main")
        await store.append([wanted, a_portfolio("other"), a_trade_request(stream="portfolio-main")])
        assert await store.latest("portfolio-main", "portfolio.changed", CLOSE) == wanted.json_bytes
        assert await store.latest("portfolio-main", "risk.assessed", CLOSE) is None
        assert await store.latest("nowhere", "portfolio.changed", CLOSE) is None

    async def test_appends_when_many_at_once_lose_nothing_and_keep_their_order_for_all_readers(
        self, store: EventStore
    ) -> None:
        events = [a_trade_request(id=f"t{number}") for number in range(100)]
        fresh = await asyncio.gather(*(store.append([event]) for event in events))
        assert fresh == [[event] for event in events]
        whole = await read_all(store, limit=1_000)
        assert sorted(whole) == sorted(bodies(events))
        assert self.in_order(await read_all(store, limit=3)) == self.in_order(whole)

    async def test_append_when_two_append_the_same_at_once_gives_it_to_one_only(self, store: EventStore) -> None:
        events = [a_trade_request(id=f"t{number}") for number in range(20)]
        fresh = await asyncio.gather(*(store.append([event]) for event in events for _ in range(2)))
        assert sorted(event.id for found in fresh for event in found) == sorted(event.id for event in events)

    async def test_reader_when_it_follows_writers_sees_every_event_once(self, store: EventStore) -> None:
        events = [a_trade_request(id=f"t{number}") for number in range(60)]
        seen, cursor = list[bytes](), ""
        async with asyncio.timeout(10), asyncio.TaskGroup() as group:
            for start in range(0, len(events), 4):
                group.create_task(store.append(events[start : start + 4]))
            while len(seen) < len(events):
                await store.wait(cursor, 5)
                page = await store.page(ALL, cursor, 7)
                seen, cursor = seen + page.events, page.cursor
        assert self.in_order(seen) == self.in_order(await read_all(store))
        assert sorted(seen) == sorted(bodies(events))


def _is_in(wanted: Filter, event: Event) -> bool:
    return (
        event.run == wanted.run
        and event.type in (wanted.types or (event.type,))
        and event.stream == (wanted.stream or event.stream)
        and event.correlationid == (wanted.correlation or event.correlationid)
        and event.audience in (wanted.audiences or (event.audience,))
    )
