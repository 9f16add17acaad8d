"""Memory by mem0ai: its `Memory` with our embedders and vector stores, without its model, its history or calls home.

mem0 is imported when something is first remembered or recalled: that takes over a second of processor time. Its
telemetry is off before. It draws ids at random, checks no scope, and takes `*` for everybody: here an id comes with the
memory, and every access names one scope. Its history would repeat the log and never end, so it keeps none; its folder
holds a file with a random number, where the desk may write. spaCy, which it would download a model for, stays out.
"""

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from tempfile import gettempdir
from threading import Lock
from types import ModuleType
from typing import Any, Protocol

from shared.memory.bridge import in_thread
from shared.memory.memory import Memory, Recollection, Revoked, Scope
from shared.memory.port import MOST_RECALLED, Embedder, Entry, VectorStore
from shared.memory.together import Together

BODY, ASKED = "memory", "asked"
"""The metadata that a memory travels through mem0 in, and the filter that what is asked does."""
_IMPORTING = Lock()


@dataclass(frozen=True, slots=True)
class Told:
    """A memory on its way through mem0, and the place for the entry that it becomes there."""

    memory: Memory
    entries: list[Entry]

    def __deepcopy__(self, _: object) -> "Told":
        """Give itself: mem0 copies what travels through it, twice."""
        return self


@dataclass(frozen=True, slots=True)
class Asked:
    """What of a scope is wanted, besides likeness."""

    before: datetime
    limit: int
    graded_first: bool = False


class Mem0(Protocol):
    """What is used of mem0's `Memory`."""

    def add(self, messages: str, *, agent_id: str, metadata: dict[str, Any], infer: bool) -> dict[str, Any]:
        """Have a text embedded and kept."""
        ...

    def search(self, query: str, *, top_k: int, filters: dict[str, Any], threshold: float) -> dict[str, Any]:
        """Have a text embedded, and give what is nearest as `results`."""
        ...


class Mem0Memories:
    """The desk's `Memories`.

    Parameters
    ----------
    vectors : VectorStore
        Closed with this.
    folder : Path or None
        Where mem0 may write; None for the system's temporary folder.
    """

    def __init__(self, vectors: VectorStore, embedder: Embedder, folder: Path | None = None) -> None:
        self._vectors, self._embedder = vectors, embedder
        self._folder = folder or Path(gettempdir()) / "finagent-mem0"
        self._is_quick = vectors.is_quick and embedder.is_quick
        self._mem0: Mem0 | None = None
        self._together = Together(self._remember)

    async def remember(self, memories: Sequence[Memory]) -> None:
        """Keep memories, each in its scope."""
        if self._is_quick:
            await self._together.do(memories)
        else:  # each for itself, as what it costs is charged to whoever asks
            await self._remember(memories)

    async def recall(
        self, scope: Scope, text: str, as_of: datetime, limit: int = 5, *, graded_first: bool = False
    ) -> list[Recollection]:
        """Give what is most like a situation; where none is to be found, mem0 is not even loaded."""
        asked = Asked(as_of, min(limit, MOST_RECALLED), graded_first)
        if not self._is_quick:
            return await in_thread(self._search, scope, text, asked)
        if not self._may_find(scope, text, asked):
            return []
        # To a thread and back would cost more than the search, as both want the interpreter; the first imports mem0.
        return await in_thread(self._find, scope, text, asked) if self._mem0 is None else self._find(scope, text, asked)

    async def latest(self, scope: Scope, as_of: datetime, limit: int = 20) -> list[Memory]:
        """Give the newest."""
        found = await in_thread(self._vectors.latest, scope, as_of, limit)
        return [memory.as_of(as_of) for memory in found]

    async def get(self, scope: Scope, memory_id: str) -> Memory | None:
        """Give one memory of a scope."""
        return await in_thread(self._vectors.get, scope, memory_id)

    async def delete(self, scope: Scope, memory_id: str) -> None:
        """Forget one memory of a scope."""
        await in_thread(self._vectors.delete, scope, memory_id)

    async def forget(self, owner: str) -> int:
        """Forget all of an owner's."""
        return await in_thread(self._vectors.forget, owner)

    async def resting_on(self, source: str, owner: str | None, *, everyone: bool) -> Revoked:
        """Give what revoking a source would forget."""
        return await in_thread(self._vectors.resting_on, source, owner, everyone=everyone)

    async def revoke(self, source: str, owner: str | None, *, everyone: bool) -> None:
        """Forget what rests on a source."""
        await in_thread(self._vectors.revoke, source, owner, everyone=everyone)

    async def clear(self) -> None:
        """Forget everything."""
        await in_thread(self._vectors.clear)

    async def close(self) -> None:
        """Let go of the store, when what is under way is kept."""
        await self._together.close()
        await in_thread(self._vectors.close)

    async def _remember(self, memories: Sequence[Memory]) -> None:
        await in_thread(self._add, memories)

    def _add(self, memories: Sequence[Memory]) -> None:
        # What turned out is mostly known: to embed it again would cost more than to note that, and at some money.
        unknown = self._vectors.complete([memory for memory in memories if memory.outcome], self._embedder.space)
        entries = list[Entry]()
        for memory in [*(memory for memory in memories if not memory.outcome), *unknown]:
            told = Told(memory, entries)
            self._opened().add(memory.text, agent_id=memory.scope.key, metadata={BODY: told}, infer=False)
        if entries:
            self._vectors.keep(entries)

    def _search(self, scope: Scope, text: str, asked: Asked) -> list[Recollection]:
        return self._find(scope, text, asked) if self._may_find(scope, text, asked) else []

    def _may_find(self, scope: Scope, text: str, asked: Asked) -> bool:
        # Before anything was graded a recall would change no vote, and costs most of what it costs then.
        return bool(text.strip()) and self._vectors.knows(scope, asked.before if asked.graded_first else None)

    def _find(self, scope: Scope, text: str, asked: Asked) -> list[Recollection]:
        filters = {"agent_id": scope.key, ASKED: asked}
        found = self._opened().search(text, filters=filters, top_k=asked.limit, threshold=0.0)["results"]
        return [Recollection(item["metadata"][BODY].as_of(asked.before), item["score"]) for item in found]

    def _opened(self) -> Mem0:
        if self._mem0 is None:
            with _IMPORTING:
                _keep_to_itself(self._folder)
                with _no_qdrant():
                    from shared.memory.mem0_part import opened
                self._mem0 = opened(self._vectors, self._embedder)
        return self._mem0


@contextmanager
def _no_qdrant() -> Iterator[None]:
    """Have mem0 import nothing for the store that it would choose itself: that is two thirds of its import's time."""
    name = "qdrant_client"
    if name in sys.modules:
        yield
        return
    sys.modules[name] = empty = ModuleType(name)
    empty.QdrantClient = object  # type: ignore[attr-defined]
    try:
        yield
    finally:
        del sys.modules[name]


def _keep_to_itself(folder: Path) -> None:
    """Tell mem0, before it is imported, to call nobody and to write nowhere else."""
    os.environ["MEM0_TELEMETRY"] = "False"
    os.environ["MEM0_DIR"] = str(folder)
