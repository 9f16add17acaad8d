"""Memories in SQLite keep the contract, survive the process, and bear damage, a full disk and a crowd."""

import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from itertools import count
from pathlib import Path

import numpy as np
import pytest

from shared.errors import InvalidError, TransientError
from shared.memory.bridge import in_thread
from shared.memory.port import LIMITS, Limits, VectorStore
from shared.memory.sqlite import SqliteVectorStore
from tests.contract.vector_store import LATER, ORACLE, VectorStoreContract, days, kept, kept_at_once, nearest, texts
from tests.memories import EMBEDDER, a_memory, an_outcome


class TestSqliteVectorStore(VectorStoreContract):
    @pytest.fixture(autouse=True)
    def _files(self, tmp_path: Path) -> None:
        self.files = (tmp_path / f"{number}.sqlite" for number in count())

    @asynccontextmanager
    async def opened(self, limits: Limits = LIMITS) -> AsyncIterator[VectorStore]:
        with closing(SqliteVectorStore(next(self.files), limits)) as store:
            yield store


class TestSqliteVectorStoreInMemory(VectorStoreContract):
    @asynccontextmanager
    async def opened(self, limits: Limits = LIMITS) -> AsyncIterator[VectorStore]:
        with closing(SqliteVectorStore(None, limits)) as store:
            yield store


async def test_memories_when_reopened_are_still_there(tmp_path: Path) -> None:
    file = tmp_path / "memory.sqlite"
    with closing(SqliteVectorStore(file)) as store:
        await kept(store, *days("a", "b"))
        await in_thread(store.revoke, "news-1", None, everyone=True)
    with closing(SqliteVectorStore(file)) as store:
        await kept(store, a_memory("c", sources=("news-1",)))
        assert await texts(store) == ["b", "a"]
        assert set(await nearest(store, "a")) == {"a", "b"}


async def test_memories_when_more_are_kept_at_once_than_a_statement_has_places_are_all_there(tmp_path: Path) -> None:
    with closing(SqliteVectorStore(tmp_path / "memory.sqlite")) as store:
        sources = tuple(f"s{each}" for each in range(140))
        many = [a_memory(f"m{number}", sources=sources) for number in range(450)]  # a quarter of a million places
        await kept_at_once(store, *many, *many[:10])
        assert len(await in_thread(store.latest, ORACLE, LATER, 1_000)) == 450
        assert len((await in_thread(store.resting_on, "s139", None, everyone=False)).memories) == 450


async def test_memories_when_another_process_writes_are_found(tmp_path: Path) -> None:
    with closing(SqliteVectorStore(tmp_path / "m")) as here, closing(SqliteVectorStore(tmp_path / "m")) as there:
        await kept(here, *days("a"))
        assert await nearest(here, "a") == ["a"]
        await kept(there, a_memory("a b"))
        assert await nearest(here, "a") == ["a", "a b"]
        await in_thread(there.delete, ORACLE, "m-a")
        assert await nearest(here, "a") == ["a b"]


@pytest.mark.parametrize(
    ("damage", "left"),
    [
        ("UPDATE memories SET body = x'7b' WHERE id = 'm-b'", ["c", "a"]),
        ("UPDATE memories SET body = replace(body, '\"oracle\"', '\"risk_manager\"') WHERE id = 'm-b'", ["c", "a"]),
    ],
    ids=["no json", "another's"],
)
async def test_memory_when_damaged_is_left_out_and_made_anew(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, damage: str, left: list[str]
) -> None:
    file = tmp_path / "memory.sqlite"
    with closing(SqliteVectorStore(file)) as store:
        await kept(store, *days("a", "b", "c"))
    with closing(sqlite3.connect(file, autocommit=True)) as raw:
        raw.execute(damage)
    with closing(SqliteVectorStore(file)) as store:
        assert await texts(store) == left
        assert await in_thread(store.get, ORACLE, "m-b") is None
        assert set(await nearest(store, "b")) == set(left)
        await kept(store, *days("a", "b", "c"))
        assert await texts(store) == ["c", "b", "a"]
        assert (await nearest(store, "b"))[0] == "b"


def half_a_vector(text: str) -> bytes:
    """Give the vector of a text, with what is no number wherever a question for it does not look."""
    vector = EMBEDDER.embed([text])[0]
    return np.where(vector == 0, np.float32(np.nan), vector).tobytes()


@pytest.mark.parametrize("vector", [b"\0", half_a_vector("b")], ids=["short", "no numbers"])
async def test_vector_when_damaged_is_not_compared(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, vector: bytes
) -> None:
    file = tmp_path / "memory.sqlite"
    with closing(SqliteVectorStore(file)) as store:
        await kept(store, *days("a", "b"))
    with closing(sqlite3.connect(file, autocommit=True)) as raw:
        raw.execute("UPDATE memories SET vector = ? WHERE id = 'm-b'", (vector,))
    with closing(SqliteVectorStore(file)) as store:
        assert await nearest(store, "b") == ["a"]
        assert await texts(store) == ["b", "a"]
    assert "1 vectors of memories cannot be read" in caplog.text


def test_file_when_it_is_no_database_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "memory.sqlite"
    file.write_bytes(b"no database, by far" * 100)
    with pytest.raises(InvalidError, match="finagent rebuild"):
        SqliteVectorStore(file)


async def test_file_when_damaged_within_says_what_to_do(tmp_path: Path) -> None:
    file = tmp_path / "memory.sqlite"
    with closing(SqliteVectorStore(file)) as store:
        await kept(store, *(a_memory(f"memory {number}") for number in range(50)))
    pages = bytearray(file.read_bytes())
    pages[7 * 4_096 :] = b"?" * (len(pages) - 7 * 4_096)
    file.write_bytes(pages)
    with closing(SqliteVectorStore(file)) as store:
        with pytest.raises(InvalidError, match=r"memory\.sqlite is damaged: .*; delete it, then `finagent rebuild`"):
            await texts(store)
        with pytest.raises(InvalidError, match="is damaged"):
            store.clear()


async def test_scope_when_an_outcome_comes_counts_what_it_takes(tmp_path: Path) -> None:
    with closing(SqliteVectorStore(tmp_path / "memory.sqlite")) as store:
        memory = a_memory("a")
        await kept(store, memory)
        store.complete([memory.model_copy(update={"outcome": an_outcome()})], EMBEDDER.space)
        ((counted,),) = store._reader.execute("SELECT size FROM scopes").fetchall()
        ((there,),) = store._reader.execute("SELECT sum(length(body) + length(vector)) FROM memories").fetchall()
        assert counted == there


async def test_disk_when_full_is_transient_and_leaves_what_was_there(tmp_path: Path) -> None:
    with closing(SqliteVectorStore(tmp_path / "memory.sqlite")) as store:
        await kept(store, *days("a"))
        [[pages]] = store._writer.execute("PRAGMA page_count").fetchall()
        store._writer.execute(f"PRAGMA max_page_count = {pages + 2}")
        with pytest.raises(TransientError, match="full"):
            await kept(store, *(a_memory(f"filling {number}") for number in range(50)))
        there = await texts(store)
        assert "a" in there
        store._writer.execute("PRAGMA max_page_count = 1000000")
        await kept(store, a_memory("after all"))
        assert set(await texts(store)) == {*there, "after all"}


_WRITER = """
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from shared.memory.sqlite import SqliteVectorStore
from tests.contract.vector_store import LATER, ORACLE
from tests.memories import EMBEDDER, a_memory, an_entry

store, me = SqliteVectorStore(Path(sys.argv[1])), sys.argv[2]

def work(thread):
    for number in range(6):
        text = f"memory p{me}t{thread}n{number}"
        store.keep([an_entry(a_memory(text))])
        found = store.nearest(ORACLE, EMBEDDER.space, EMBEDDER.embed([text])[0], LATER, 1)
        assert [memory.text for memory, _ in found] == [text], found

with ThreadPoolExecutor(8) as pool:
    list(pool.map(work, range(8)))
store.close()
"""


def test_memories_when_four_processes_of_eight_threads_write_and_recall_lose_none(tmp_path: Path) -> None:
    file = tmp_path / "memory.sqlite"
    commands = [[sys.executable, "-c", _WRITER, str(file), str(number)] for number in range(4)]
    writers = [subprocess.Popen(command, stderr=subprocess.PIPE, text=True) for command in commands]
    said = [writer.communicate()[1] for writer in writers]
    assert [writer.returncode for writer in writers] == [0] * 4, said
    with closing(SqliteVectorStore(file)) as store:
        found = store.latest(ORACLE, LATER, 1_000)
    assert {memory.text for memory in found} == {
        f"memory p{process}t{thread}n{number}" for process in range(4) for thread in range(8) for number in range(6)
    }
    assert len(found) == 4 * 8 * 6


def test_nothing_when_nobody_recalls_loads_numpy_or_mem0() -> None:
    code = (
        "import sys, shared.wiring, shared.memory.sqlite, shared.memory.cosmos, shared.memory.minilm;"
        "import shared.memory.openai;"
        "print(sorted({'mem0', 'numpy', 'openai', 'onnxruntime'} & sys.modules.keys()))"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "[]"
