"""A desk that reads its history for the first time says so while it does, and no longer, however that ends."""

from collections.abc import Sequence
from contextlib import suppress

import pytest

from shared.errors import TransientError
from shared.events.envelope import Event
from tests.builders import DAY
from tests.unit.test_ingest import Desk, Vendor, closes


@pytest.mark.parametrize("trouble", [None, TransientError("429"), ValueError("nobody foresaw it")])
async def test_desk_when_it_ticks_first_is_opening_until_the_tick_is_over(trouble: Exception | None) -> None:
    desk = Desk(Vendor(closes(days=range(-40, 12))), lookback=5 * DAY)
    seen, emit, troubles = list[bool](), desk.ingest.emit, [trouble] if trouble else []

    async def watched(events: Sequence[Event]) -> list[Event]:
        seen.append(desk.ingest.status["market"].is_opening)
        if troubles:
            raise troubles.pop()
        return await emit(events)

    desk.ingest.emit = watched
    with suppress(ValueError):
        await desk.ingest.market_tick()
    assert (seen[0], desk.ingest.status["market"].is_opening) == (True, False)
    seen.clear()
    await desk.tick(DAY)
    assert seen
    assert not any(seen)
