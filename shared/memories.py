"""Puts agents' memory together: the live desk's, and that of a replay, which holds what was concluded there alone."""

from weakref import finalize

from shared.engine import Engine
from shared.memory.hashing import HashingEmbedder
from shared.memory.mem0 import Mem0Memories
from shared.memory.port import Embedder, Memories, Recalling
from shared.memory.sqlite import SqliteVectorStore
from shared.replay.world import World
from shared.settings import Settings


def desk_memories(settings: Settings, engine: Engine) -> Memories:
    """Give what the live desk's agents remember.

    Raises
    ------
    InvalidError
        The embedder that the settings name is not installed.
    """
    # Where the desk has no folder of its own, mem0 has the system's temporary one.
    folder = None if engine.database is None else settings.data / "mem0"
    return Mem0Memories(engine.vectors, _embedder(settings), folder)


def replay_memories(settings: Settings, world: World) -> Recalling:
    """Give what the agents of a replay remember; raises as `desk_memories` does."""
    if world.memories is None:
        vectors = SqliteVectorStore(None)
        finalize(world, vectors.close)
        world.remember(Mem0Memories(vectors, _embedder(settings)))
    assert world.memories is not None
    return world.memories


def _embedder(settings: Settings) -> Embedder:
    if settings.embedder == "hashing":
        return HashingEmbedder()
    from shared.memory.minilm import MiniLmEmbedder

    return MiniLmEmbedder.installed()
