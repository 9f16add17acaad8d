"""Which embedder a desk remembers with: the one that its settings name, at the server that they name."""

from pathlib import Path

import pytest

from shared.engine import engine as open_engine
from shared.errors import InvalidError
from shared.memories import desk_memories, replay_memories
from shared.memory.memory import Scope
from shared.memory.port import DIMENSIONS
from shared.replay.world import World
from shared.settings import Settings
from tests.builders import CLOSE, DAY
from tests.memories import a_memory, an_outcome
from tests.standins.embedding import KEY, EmbeddingStandIn


def settings(folder: Path, **more: str) -> Settings:
    return Settings.from_env({"FINAGENT_DATA": str(folder), "FINAGENT_EMBEDDER": "openai", **more})


async def test_embedder_when_openai_is_named_asks_the_server_of_the_settings(tmp_path: Path) -> None:
    world = World()
    with EmbeddingStandIn() as server:
        named = settings(tmp_path, OPENAI_BASE_URL=server.url, OPENAI_API_KEY=KEY)
        replay_memories(named, world)
        assert world.projector is not None
        fold = world.projector.memory
        assert fold is not None
        await fold.memories.remember([a_memory(outcome=an_outcome())])
        (found,) = await fold.memories.recall(Scope("oracle"), "buy IBM for trend=up", CLOSE + 9 * DAY)
    assert found.memory.symbol == "IBM"
    assert {(each["model"], each["dimensions"]) for each in server.seen} == {("text-embedding-3-small", DIMENSIONS)}


async def test_embedder_when_it_is_the_desk_s_charges_what_was_embedded(tmp_path: Path) -> None:
    with EmbeddingStandIn() as server:
        named = settings(tmp_path, OPENAI_BASE_URL=server.url, OPENAI_API_KEY=KEY)
        engine = open_engine(named)
        memories = desk_memories(named, engine)
        await memories.remember([a_memory(), a_memory("sell IBM")])
        assert engine.metering.current.tokens == {"text-embedding-3-small": (2, 0)}
        await memories.close()
        await engine.close()


def test_embedder_when_openai_is_named_and_no_server_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidError, match="FINAGENT_EMBEDDER: openai needs a server"):
        replay_memories(settings(tmp_path), World())
