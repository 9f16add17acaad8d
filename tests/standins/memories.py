"""Agents' memory without mem0: the same store and embedder, for tests of what is done with it."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime

from shared.memory.hashing import HashingEmbedder
from shared.memory.memory import Memory, Recollection, Revoked, Scope
from shared.memory.port import Entry
from shared.memory.sqlite import SqliteVectorStore


class PlainMemories:
    """`Memories` of a process; fails as it is told."""

    def __init__(self, error: Exception | None = None) -> None:
        self.vectors, self.error = SqliteVectorStore(None), error
        self._embedder = HashingEmbedder()

    @classmethod
    @asynccontextmanager
    async def opened(cls, error: Exception | None = None) -> AsyncIterator["PlainMemories"]:
        """Open some, and let go of them."""
        memories = cls(error)
        try:
            yield memories
        finally:
            await memories.close()

    async def remember(self, memories: Sequence[Memory]) -> None:
        """Keep memories."""
        self._fail()
        space, vectors = self._embedder.space, self._embedder.embed([memory.text for memory in memories])
        self.vectors.keep([Entry(memory, space, vector) for memory, vector in zip(memories, vectors, strict=True)])

    async def recall(
        self, scope: Scope, text: str, as_of: datetime, limit: int = 5, *, graded_first: bool = False
    ) -> list[Recollection]:
        """Give what is most like a situation."""
        self._fail()
        vector = self._embedder.embed([text])[0]
        found = self.vectors.nearest(scope, self._embedder.space, vector, as_of, limit, graded_first=graded_first)
        return [Recollection(memory.as_of(as_of), cosine) for memory, cosine in found]

    async def latest(self, scope: Scope, as_of: datetime, limit: int = 20) -> list[Memory]:
        """Give the newest."""
        return [memory.as_of(as_of) for memory in self.vectors.latest(scope, as_of, limit)]

    async def get(self, scope: Scope, memory_id: str) -> Memory | None:
        """Give one."""
        return self.vectors.get(scope, memory_id)

    async def delete(self, scope: Scope, memory_id: str) -> None:
        """Forget one."""
        self.vectors.delete(scope, memory_id)

    async def forget(self, owner: str) -> int:
        """Forget all of an owner's."""
        return self.vectors.forget(owner)

    async def resting_on(self, source: str, owner: str | None, *, everyone: bool) -> Revoked:
        """Give what rests on a source."""
        return self.vectors.resting_on(source, owner, everyone=everyone)

    async def revoke(self, source: str, owner: str | None, *, everyone: bool) -> None:
        """Forget what rests on a source."""
        self.vectors.revoke(source, owner, everyone=everyone)

    async def clear(self) -> None:
        """Forget everything."""
        self.vectors.clear()

    async def close(self) -> None:
        """Let go of the store."""
        self.vectors.close()

    def _fail(self) -> None:
        if self.error is not None:
            raise self.error
