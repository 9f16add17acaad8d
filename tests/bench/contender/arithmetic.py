"""Nobody: the agents are called one after another and nothing is carried or kept. What all contenders share."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from shared.events.trade import Trade
from tests.bench.contender.port import Ask
from tests.bench.panel import AGENTS, Panel, a_request


@asynccontextmanager
async def alone(_folder: Path) -> AsyncIterator[Ask]:
    """Give the agents without a transport."""
    panel = await Panel.open()

    async def ask(name: str, trade: Trade) -> bytes:
        request = a_request(name, trade).json_bytes
        return panel.weigh(request, [await panel.vote(agent, request) for agent in AGENTS])

    yield ask
