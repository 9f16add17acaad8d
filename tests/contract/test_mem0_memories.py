"""Memory through mem0: what it would do by itself is shut, and it calls nobody and writes nowhere else."""

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from shared.errors import InvalidError
from shared.memory.bridge import in_thread
from shared.memory.mem0 import Asked, Mem0Memories, Told
from shared.memory.memory import Scope
from shared.memory.port import Entry
from shared.memory.sqlite import SqliteVectorStore
from tests.builders import CLOSE, DAY, SECOND
from tests.contract.vector_store import LATER, ORACLE
from tests.memories import EMBEDDER, a_memory, an_outcome

ALL = Asked(LATER, 5)


@pytest.fixture
async def memories(tmp_path: Path) -> AsyncIterator[Mem0Memories]:
    async with opened(tmp_path) as made:
        yield made


@asynccontextmanager
async def opened(folder: Path) -> AsyncIterator[Mem0Memories]:
    memories = Mem0Memories(SqliteVectorStore(folder / "m.sqlite"), EMBEDDER, folder / "mem0")
    try:
        yield memories
    finally:
        await memories.close()


async def test_memory_when_recalled_comes_with_its_likeness_and_as_it_was(memories: Mem0Memories) -> None:
    graded = a_memory("buy IBM for trend=up", outcome=an_outcome(at=CLOSE + 8 * DAY))
    await memories.remember([graded])
    await memories.remember([a_memory("sell MSFT", known_at=CLOSE + DAY)])
    first, second = await memories.recall(ORACLE, "buy IBM for trend=up", LATER)
    assert first.memory == graded
    assert first.similarity == pytest.approx(1, abs=1e-5)
    assert second.memory.text == "sell MSFT"
    [before] = await memories.recall(ORACLE, "sell MSFT", CLOSE + DAY)
    assert before.memory == graded.model_copy(update={"outcome": None})


async def test_memory_when_remembered_twice_is_there_once_under_its_own_id(memories: Mem0Memories) -> None:
    memory = a_memory(id="m-1")
    await memories.remember([memory])
    await memories.remember([memory])
    assert [found.memory.id for found in await memories.recall(ORACLE, memory.text, LATER)] == ["m-1"]
    assert await memories.get(ORACLE, "m-1") == memory
    assert await memories.get(Scope("risk_manager"), "m-1") is None
    await memories.delete(Scope("oracle", "anna"), "m-1")
    assert len(await memories.latest(ORACLE, LATER)) == 1


async def test_recall_when_more_are_wanted_than_may_be_gives_twenty(memories: Mem0Memories) -> None:
    for number in range(25):
        await memories.remember([a_memory(f"number {number}")])
    assert len(await memories.recall(ORACLE, "number", LATER, 100)) == 20
    assert len(await memories.recall(ORACLE, "number", LATER, 2)) == 2


async def test_recall_when_nothing_was_graded_by_then_does_without_mem0(memories: Mem0Memories) -> None:
    graded = a_memory("buy IBM", outcome=an_outcome(at=CLOSE + 8 * DAY))
    await memories.remember([graded])
    memories._mem0 = None  # as in a process that has remembered nothing yet
    assert await memories.recall(ORACLE, "buy IBM", CLOSE + 8 * DAY, graded_first=True) == []
    assert memories._mem0 is None
    [found] = await memories.recall(ORACLE, "buy IBM", CLOSE + 8 * DAY + SECOND, graded_first=True)
    assert found.memory == graded


async def _mem0(memories: Mem0Memories) -> Any:
    return await in_thread(memories._opened)


@pytest.mark.parametrize(
    "call",
    [
        lambda mem0: mem0.search("a", filters={"agent_id": "*", "asked": ALL}),
        lambda mem0: mem0.search("a", filters={"user_id": "*", "asked": ALL}),
        lambda mem0: mem0.search("a", filters={"agent_id": "oracle"}),
        lambda mem0: mem0.search("a", filters={"agent_id": "oracle", "asked": ALL, "OR": [{"agent_id": "x"}]}),
        lambda mem0: mem0.get_all(filters={"agent_id": "*"}),
        lambda mem0: mem0.get_all(filters={"agent_id": "oracle"}),
        lambda mem0: mem0.get("m-1"),
        lambda mem0: mem0.update("m-1", "other"),
        lambda mem0: mem0.delete("m-1"),
        lambda mem0: mem0.delete_all(agent_id="oracle"),
        lambda mem0: mem0.add("a", agent_id="risk_manager", metadata={"memory": Told(a_memory(), [])}, infer=False),
    ],
    ids=["*", "user *", "no moment", "or", "all *", "all", "get", "update", "delete", "delete all", "another's"],
)
async def test_mem0_when_asked_beyond_one_scope_refuses(memories: Mem0Memories, call: Any) -> None:
    await memories.remember([a_memory("a", id="m-1")])
    with pytest.raises(InvalidError, match="memory:"):
        await in_thread(call, await _mem0(memories))
    assert await memories.get(ORACLE, "m-1") == a_memory("a", id="m-1")


_ALONE = """
import asyncio, os, socket, sys
from pathlib import Path

def refuse(*_):
    raise AssertionError("mem0 called somebody")

socket.socket.connect = socket.getaddrinfo = refuse
from shared.memory.hashing import HashingEmbedder
from shared.memory.mem0 import Mem0Memories
from shared.memory.port import Entry
from shared.memory.sqlite import SqliteVectorStore
from tests.contract.vector_store import LATER, ORACLE
from tests.memories import a_memory

async def main():
    memories = Mem0Memories(SqliteVectorStore(None), HashingEmbedder(), Path(sys.argv[1]))
    assert await memories.recall(ORACLE, "a", LATER) == [] and "mem0" not in sys.modules
    await memories.remember([a_memory("a")])
    assert len(await memories.recall(ORACLE, "a", LATER)) == 1
    await memories.close()
    print(sorted({"mem0", "openai", "qdrant_client", "spacy", "sqlalchemy"} & sys.modules.keys()))

asyncio.run(main())
"""


def test_mem0_when_it_works_calls_nobody_and_writes_into_its_folder(tmp_path: Path) -> None:
    environment = {
        **os.environ,
        "HOME": str(tmp_path / "home"),
        "MEM0_TELEMETRY": "True",
        "MEM0_DIR": str(tmp_path / "nowhere"),
    }
    command = [sys.executable, "-W", "ignore", "-c", _ALONE, str(tmp_path / "mem0")]
    said = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert (said.returncode, said.stdout.strip()) == (0, "['mem0']"), said.stderr
    written = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*")}
    assert written <= {"mem0", "mem0/config.json"}


async def test_memories_when_many_remember_at_once_are_all_there_in_few_transactions(tmp_path: Path) -> None:
    vectors = Counted(tmp_path / "m.sqlite")
    memories = Mem0Memories(vectors, EMBEDDER, tmp_path / "mem0")
    rounds = [[a_memory(f"buy IBM {number}", id=f"m-{number}-{each}") for each in "ab"] for number in range(12)]
    await asyncio.gather(*map(memories.remember, rounds))
    assert len(await memories.latest(ORACLE, LATER, 100)) == 24
    assert vectors.transactions <= 2
    await memories.close()


async def test_memories_when_closed_while_they_are_kept_are_there_afterwards(tmp_path: Path) -> None:
    async with opened(tmp_path) as memories:
        remembering = asyncio.create_task(memories.remember([a_memory(id="m-1")]))
        await asyncio.sleep(0)
    await remembering
    async with opened(tmp_path) as memories:
        assert await memories.get(ORACLE, "m-1") is not None


class Counted(SqliteVectorStore):
    """A store that counts how often something was kept."""

    transactions = 0

    def keep(self, entries: Sequence[Entry]) -> None:
        self.transactions += 1
        super().keep(entries)
