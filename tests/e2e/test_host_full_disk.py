"""A host whose disk is full for a while refuses new work, and loses none that it took; killed meanwhile or not."""

import asyncio
import resource
from pathlib import Path

import httpx
import pytest

from tests.chance import seeded
from tests.e2e.audit import audit
from tests.e2e.crowd import Crowd, while_asking
from tests.e2e.process import DeskProcess, free_port

TRADES = 120
TIMES = 4
FULL_SECONDS = 1.5

pytestmark = pytest.mark.skipif(
    not hasattr(resource, "prlimit"), reason="only Linux lets a test limit another process's files"
)


async def test_trades_when_the_disk_is_full_again_and_again_and_the_host_killed_meanwhile_are_each_decided(
    tmp_path: Path,
) -> None:
    chance = seeded()
    port = free_port(chance)
    desk = DeskProcess(tmp_path, port=port, FINAGENT_SPEED="1000", FINAGENT_START="2008-09-12", **DEADLINE)
    crowd = Crowd(f"http://127.0.0.1:{port}", TRADES)

    async def fill() -> None:
        for time, accepted in enumerate(sorted(chance.sample(range(1, TRADES - 60), TIMES))):
            await crowd.reached(accepted)
            await asyncio.sleep(chance.uniform(0, 0.05))
            _limit_files(desk.pid, 4_096)
            await _unavailable(desk)
            await asyncio.sleep(chance.uniform(0, FULL_SECONDS))
            if time % 2 == 0:
                desk.kill()
                await asyncio.to_thread(desk.start)
            else:
                _limit_files(desk.pid, resource.RLIM_INFINITY)

    with desk:
        await while_asking(crowd, fill)
        assert crowd.answers[503], "the disk was never full"
        for kind in ("consensus.reached", "trade.deadline.reached"):
            await crowd.see(kind)
        assert await asyncio.to_thread(desk.stop) == 0
    audit(desk.file, crowd.trades)


DEADLINE = {"FINAGENT_DEADLINE_SECONDS": "5"}


def _limit_files(pid: int, size: int) -> None:
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


async def _unavailable(desk: DeskProcess) -> None:
    """Return when the desk says itself that it cannot work."""
    async with httpx.AsyncClient(base_url=desk.about["url"], timeout=30, trust_env=False) as client:
        while (await client.get("/api/health")).status_code != 503:  # noqa: ASYNC110 - only asking can tell
            await asyncio.sleep(0.05)
