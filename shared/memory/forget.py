"""Forgetting what agents remember of an owner."""

from shared.memory.bridge import in_thread
from shared.memory.port import VectorStore


class MemoryHolder:
    """A `Holder` of memories, in whatever store."""

    def __init__(self, vectors: VectorStore) -> None:
        self._vectors = vectors

    async def forget(self, owner: str, *, is_trial: bool) -> dict[str, int]:
        """Forget all memories of what was concluded for the owner."""
        return {"memories": await in_thread(self._vectors.forget, owner, is_trial=is_trial)}
