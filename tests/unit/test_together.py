"""Work of many callers in one go: each hears how its own went, whatever the others do."""

import asyncio
from collections.abc import Sequence

import pytest

from shared.errors import InvalidError, TransientError
from shared.memory.together import Together


class Desk:
    """Work that can be held up, fails for some items, and notes what it was asked for."""

    def __init__(self) -> None:
        self.asked: list[list[str]] = []
        self.done: list[str] = []
        self.begun, self.go = asyncio.Event(), asyncio.Event()

    async def work(self, items: Sequence[str]) -> None:
        self.asked.append(list(items))
        self.begun.set()
        await self.go.wait()
        if "bad" in items:
            raise InvalidError("bad")
        self.done += items


async def asked(desk: Desk, *items: str) -> tuple[Together[str], list["asyncio.Task[None]"]]:
    """Ask for each item, and wait until the first is under way."""
    together = Together(desk.work)
    tasks = [asyncio.create_task(together.do([item])) for item in items]
    await desk.begun.wait()
    return together, tasks


async def test_items_when_they_come_while_others_are_under_way_are_done_at_once() -> None:
    desk = Desk()
    together, tasks = await asked(desk, "a")
    late = [asyncio.create_task(together.do([item, item.upper()])) for item in ("b", "c")]
    await asyncio.sleep(0)
    desk.go.set()
    await asyncio.gather(*tasks, *late)
    assert desk.asked == [["a"], ["b", "B", "c", "C"]]
    await together.do(["d"])
    assert desk.done == ["a", "b", "B", "c", "C", "d"]


async def test_items_when_one_fails_are_done_but_that_one() -> None:
    desk = Desk()
    desk.go.set()
    _, tasks = await asked(desk, "a", "bad", "b")
    outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(each) for each in outcomes] == [type(None), InvalidError, type(None)]
    assert desk.done == ["a", "b"]


async def test_work_when_it_is_away_tells_all_and_is_not_asked_for_each() -> None:
    asked = list[Sequence[str]]()

    async def work(items: Sequence[str]) -> None:
        asked.append(items)
        raise TransientError("away")

    together = Together(work)
    outcomes = await asyncio.gather(*(together.do([item]) for item in "ab"), return_exceptions=True)
    assert [str(each) for each in outcomes] == ["away", "away"]
    with pytest.raises(TransientError, match="away"):
        await together.do(["c"])
    assert asked == [["a", "b"], ["c"]]


async def test_items_when_who_asked_first_gives_up_are_done_for_the_others() -> None:
    desk = Desk()
    together, tasks = await asked(desk, "a")
    late = asyncio.create_task(together.do(["b"]))
    tasks[0].cancel()
    with pytest.raises(asyncio.CancelledError):
        await tasks[0]
    desk.go.set()
    await late
    assert desk.done == ["a", "b"]


async def test_close_when_it_is_stopped_leaves_the_work_to_its_end() -> None:
    desk = Desk()
    together, tasks = await asked(desk, "a")
    late = asyncio.create_task(together.do(["b"]))
    closing = asyncio.create_task(together.close())
    await asyncio.sleep(0)
    closing.cancel()
    desk.go.set()
    async with asyncio.timeout(5):
        await asyncio.gather(*tasks, late)
    assert desk.done == ["a", "b"]


async def test_close_when_work_is_under_way_waits_for_it() -> None:
    desk = Desk()
    together, tasks = await asked(desk, "a")
    closing = asyncio.create_task(together.close())
    await asyncio.sleep(0)
    assert not closing.done()
    desk.go.set()
    await closing
    assert desk.done == ["a"]
    await asyncio.gather(*tasks)
    await together.close()
