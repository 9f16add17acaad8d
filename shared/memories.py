"""Puts agents' memory together: the live desk's, and that of a replay, which holds what was concluded there alone."""

from weakref import finalize

from shared.engine import Engine
from shared.errors import InvalidError
from shared.memory.hashing import HashingEmbedder
from shared.memory.mem0 import Mem0Memories
from shared.memory.openai import Charge, OpenAIEmbedder, identity_token, nobody
from shared.memory.port import Embedder, Memories, Recalling
from shared.memory.sqlite import SqliteVectorStore
from shared.model import address
from shared.replay.world import World
from shared.settings import Settings

OPENAI_MODEL = "text-embedding-3-small"
"""At Azure OpenAI the name of its deployment, too."""


def desk_memories(settings: Settings, engine: Engine) -> Memories:
    """Give what the live desk's agents remember.

    Raises
    ------
    InvalidError
        The embedder that the settings name is not installed, or has no server.
    """
    # Where the desk has no folder of its own, mem0 has the system's temporary one.
    folder = None if engine.database is None else settings.data / "mem0"
    return Mem0Memories(engine.vectors, _embedder(settings, engine.metering.model), folder)


def replay_memories(settings: Settings, world: World) -> Recalling:
    """Give what the agents of a replay remember; raises as `desk_memories` does."""
    if world.memories is None:
        vectors = SqliteVectorStore(None)
        finalize(world, vectors.close)
        world.remember(Mem0Memories(vectors, _embedder(settings)))
    assert world.memories is not None
    return world.memories


def _embedder(settings: Settings, charge: Charge = nobody) -> Embedder:
    match settings.embedder:
        case "hashing":
            return HashingEmbedder()
        case "minilm":
            from shared.memory.minilm import MiniLmEmbedder

            return MiniLmEmbedder.installed()
        case "openai":
            if not settings.has_model:
                raise InvalidError("FINAGENT_EMBEDDER: openai needs a server: set OPENAI_API_KEY, or another's address")
            url, key = address(settings)
            return OpenAIEmbedder(url, identity_token if key is None else key, OPENAI_MODEL, charge=charge)
