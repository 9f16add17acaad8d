"""A live host whose wall clock is set forward and back by hours: trades are decided, and deadlines come once."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.chance import seeded
from tests.e2e.audit import audit
from tests.e2e.crowd import Crowd, while_asking
from tests.e2e.process import DeskProcess, free_port, read_log
from tests.standins.alpaca.server import KEY, SECRET, AlpacaStandIn
from tests.standins.alpaca.service import AlpacaService

TRADES = 120
JUMPS = 6
HOURS = 5
CONNECTIONS = 4
"""With 64 a slow desk accepts everything between two jumps."""


class WallClock:
    """The wall clock that a host believes, in a file."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.set(0)

    def set(self, hours: float) -> None:
        """Put it so many hours before or after the real time, at once."""
        new = self.file.with_suffix(".new")
        new.write_text(str(hours))
        new.replace(self.file)


@pytest.fixture
def alpaca() -> Iterator[AlpacaStandIn]:
    with AlpacaStandIn(AlpacaService(now=datetime.now(UTC) - timedelta(hours=2 * HOURS))) as standin:
        yield standin


async def test_trades_when_the_clock_jumps_by_hours_are_each_decided_and_their_deadlines_come_once(
    tmp_path: Path, alpaca: AlpacaStandIn
) -> None:
    chance, clock = seeded(), WallClock(tmp_path / "clock")
    port = free_port(chance)
    desk = DeskProcess(
        tmp_path,
        port=port,
        program="tests.standins.shifted_host",
        ALPACA_API_KEY=KEY,
        ALPACA_SECRET_KEY=SECRET,
        ALPACA_DATA_URL=alpaca.url,
        ALPACA_TRADING_URL=alpaca.url,
        FINAGENT_DEADLINE_SECONDS="2",
        CLOCK_FILE=str(clock.file),
    )
    crowd = Crowd(f"http://127.0.0.1:{port}", TRADES, CONNECTIONS)

    async def jump() -> None:
        for number, accepted in enumerate(sorted(chance.sample(range(1, TRADES), JUMPS))):
            await crowd.reached(accepted)
            clock.set(chance.uniform(-HOURS, HOURS))
            if number == JUMPS // 2:
                desk.kill()
                await asyncio.to_thread(desk.start)

    with desk:
        await while_asking(crowd, jump)
        clock.set(-HOURS)
        await crowd.see("consensus.reached")
        clock.set(HOURS)
        await crowd.see("trade.deadline.reached")
        assert await asyncio.to_thread(desk.stop) == 0
    audit(desk.folder / "alpaca.sqlite", crowd.trades)
    assert _hours_apart(desk.folder / "alpaca.sqlite") > 1, "the clock never jumped"


def _hours_apart(file: Path) -> float:
    ((first, last),) = read_log(file, "SELECT min(time), max(time) FROM events WHERE type = 'trade.requested'")
    return float(last - first) / 3_600e6
