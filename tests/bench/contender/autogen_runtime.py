"""autogen-core: the agents on a topic and one that collects their votes. In memory: it has no durable runtime."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from autogen_core import (
    ClosureAgent,
    ClosureContext,
    MessageContext,
    SingleThreadedAgentRuntime,
    TopicId,
    TypeSubscription,
)

from shared.events.trade import Trade
from tests.bench.contender.port import Ask
from tests.bench.panel import AGENTS, Panel, a_request

_REQUESTS, _VOTES = TopicId("requests", "default"), TopicId("votes", "default")


@dataclass
class Asked:
    """A request, as JSON."""

    name: str
    request: str


@dataclass
class Voted:
    """A vote on a request, both as JSON."""

    name: str
    request: str
    vote: str


@asynccontextmanager
async def in_memory(_folder: Path) -> AsyncIterator[Ask]:
    """Give a runtime with its agents."""
    panel, decided = await Panel.open(), dict[str, asyncio.Future[bytes]]()
    runtime = SingleThreadedAgentRuntime()
    for agent in AGENTS:
        await _register(runtime, agent, _voter(panel, agent), _REQUESTS)
    await _register(runtime, "consensus", _collector(panel, decided), _VOTES)
    runtime.start()

    async def ask(name: str, trade: Trade) -> bytes:
        decided[name] = asyncio.get_running_loop().create_future()
        await runtime.publish_message(Asked(name, a_request(name, trade).json_bytes.decode()), _REQUESTS)
        return await decided[name]

    yield ask
    await runtime.stop()


async def _register(runtime: Any, agent: str, closure: Any, topic: Any) -> None:
    await ClosureAgent.register_closure(
        runtime, agent, closure, subscriptions=lambda: [TypeSubscription(topic.type, agent)]
    )


def _voter(panel: Panel, agent: str) -> Any:
    async def vote(context: ClosureContext, message: Asked, _: MessageContext) -> None:
        vote = await panel.vote(agent, message.request.encode())
        await context.publish_message(Voted(message.name, message.request, vote.decode()), _VOTES)

    return vote


def _collector(panel: Panel, decided: dict[str, asyncio.Future[bytes]]) -> Any:
    ballots = dict[str, list[bytes]]()

    async def collect(_: ClosureContext, message: Voted, __: MessageContext) -> None:
        votes = ballots.setdefault(message.name, [])
        votes.append(message.vote.encode())
        if len(votes) == len(AGENTS):
            consensus = panel.weigh(message.request.encode(), ballots.pop(message.name))
            decided.pop(message.name).set_result(consensus)

    return collect
