"""LangGraph: the agents as nodes side by side and one behind them, with its checkpointer in SQLite or in memory.

Durable as the desk is: `durability="sync"` writes each step down before the next one, with `synchronous=FULL`.
"""

import operator
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, Any, TypedDict

from langgraph.checkpoint.memory import InMemorySaver
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver
from langgraph.graph import END, START, StateGraph

from shared.events.trade import Trade
from tests.bench.contender.port import Ask
from tests.bench.panel import AGENTS, Panel, a_request


class State(TypedDict):
    """What the nodes share. Votes are JSON, as they are in a desk's messages."""

    request: bytes
    votes: Annotated[list[bytes], operator.add]
    consensus: bytes


@asynccontextmanager
async def in_sqlite(folder: Path) -> AsyncIterator[Ask]:
    """Give a graph whose checkpoints are on disk."""
    async with AsyncSqliteSaver.from_conn_string(str(folder / "langgraph.sqlite")) as saver:
        await saver.setup()
        await saver.conn.execute("PRAGMA synchronous = FULL")
        yield await _asking(saver)


@asynccontextmanager
async def in_memory(_folder: Path) -> AsyncIterator[Ask]:
    """Give a graph whose checkpoints are lost with the process."""
    yield await _asking(InMemorySaver())


async def _asking(saver: Any) -> Ask:
    graph = _graph(await Panel.open()).compile(checkpointer=saver)

    async def ask(name: str, trade: Trade) -> bytes:
        begun = {"request": a_request(name, trade).json_bytes, "votes": []}
        ended = await graph.ainvoke(begun, {"configurable": {"thread_id": name}}, durability="sync")
        return bytes(ended["consensus"])

    return ask


def _graph(panel: Panel) -> Any:
    graph = StateGraph(State)
    for agent in AGENTS:
        graph.add_node(agent, _voter(panel, agent))
        graph.add_edge(START, agent)
    graph.add_node("weigh", _weigher(panel))
    graph.add_edge(list(AGENTS), "weigh")
    graph.add_edge("weigh", END)
    return graph


def _voter(panel: Panel, agent: str) -> Any:
    async def vote(state: State) -> dict[str, Any]:
        return {"votes": [await panel.vote(agent, state["request"])]}

    return vote


def _weigher(panel: Panel) -> Any:
    async def weigh(state: State) -> dict[str, Any]:
        return {"consensus": panel.weigh(state["request"], state["votes"])}

    return weigh
