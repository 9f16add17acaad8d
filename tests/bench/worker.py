"""One contender in a process of its own: reads a round's task from stdin, writes what came of it to stdout.

A task is a JSON line with `flight` (trades under way at once), `seconds` and `profiled`; the answer has the
milliseconds that each trade took, the wall and CPU seconds that all took, of these the ones in other threads than the
loop's, and what was decided on each kind of trade.
"""

import asyncio
import json
import sys
import time
from importlib import import_module
from itertools import count
from pathlib import Path
from typing import Any

from pydantic_core import from_json

from tests.bench.contender.port import Ask
from tests.bench.panel import AGENTS, KINDS, a_trade

CONTENDERS = {
    "finagent": ("finagent_desk", "opened"),
    "arithmetic": ("arithmetic", "alone"),
    "langgraph-sqlite": ("langgraph_graph", "in_sqlite"),
    "langgraph-memory": ("langgraph_graph", "in_memory"),
    "autogen-core": ("autogen_runtime", "in_memory"),
    "bare-asyncio": ("bare_asyncio", "in_sqlite"),
}


class Round:
    """Trades one after another in several lanes, until the time is up."""

    def __init__(self, ask: Ask, numbers: "count[int]") -> None:
        self._ask = ask
        self._numbers = numbers
        self._took = list[float]()
        self._decided = dict[int, Any]()

    async def run(self, flight: int, seconds: float) -> dict[str, Any]:
        """Give what came of it."""
        begun, worked, here = time.perf_counter(), time.process_time(), time.thread_time()
        async with asyncio.TaskGroup() as lanes:
            for _ in range(flight):
                lanes.create_task(self._lane(begun + seconds))
        cpu = time.process_time() - worked
        return {
            "took": self._took,
            "seconds": time.perf_counter() - begun,
            "cpu_seconds": cpu,
            "other_threads_seconds": cpu - (time.thread_time() - here),
            "decided": self._decided,
        }

    async def _lane(self, ends: float) -> None:
        while (begun := time.perf_counter()) < ends:
            ordinal = next(self._numbers)
            body = await self._ask(f"t-{ordinal}", a_trade(ordinal))
            self._took.append(1_000 * (time.perf_counter() - begun))
            self._note(ordinal, from_json(body))

    def _note(self, ordinal: int, event: dict[str, Any]) -> None:
        data = event["data"]
        if (
            event["type"] != "consensus.reached"
            or event["correlationid"] != f"t-{ordinal}"
            or len(data["votes"]) != len(AGENTS)
        ):
            raise AssertionError(f"trade {ordinal} was not decided by all its votes: {event}")
        self._decided[ordinal % KINDS] = {"decision": data["decision"], "score": data["score"]}


async def main(name: str, folder: Path) -> None:
    """Work until stdin ends."""
    module, opener = CONTENDERS[name]
    async with getattr(import_module(f"tests.bench.contender.{module}"), opener)(folder) as ask:
        numbers = count()
        print("ready", flush=True)
        while task := await asyncio.to_thread(sys.stdin.readline):
            print(json.dumps(await _answer(Round(ask, numbers), **json.loads(task))), flush=True)


async def _answer(round: Round, flight: int, seconds: float, *, profiled: bool) -> dict[str, Any]:
    if not profiled:
        return await round.run(flight, seconds)
    from tests.bench.hotspot import Hotspots

    hotspots = Hotspots()
    hotspots.start()
    return await round.run(flight, seconds) | {"hotspots": hotspots.stop()}


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], Path(sys.argv[2])))
