"""The parts that mem0 is put together of: our embedder and our vector store behind its interfaces.

Nothing but `shared.memory.mem0` imports this, after it has set what mem0 reads when it is imported.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

from mem0 import Memory
from mem0.configs.base import MemoryConfig
from mem0.configs.embeddings.base import BaseEmbedderConfig
from mem0.embeddings.base import EmbeddingBase
from mem0.memory.telemetry import MEM0_TELEMETRY
from mem0.utils import spacy_models
from mem0.utils.factory import EmbedderFactory, LlmFactory, VectorStoreFactory
from mem0.vector_stores.base import VectorStoreBase

from shared.errors import InvalidError
from shared.memory.mem0 import ASKED, BODY, Asked, Mem0
from shared.memory.memory import Scope
from shared.memory.port import Embedder, Entry, Vectors, VectorStore

_PROVIDER = "finagent"


@dataclass(frozen=True, slots=True)
class Found:
    """A result as mem0 wants it."""

    id: str
    score: float
    payload: dict[str, object]


class ScopedVectors(VectorStoreBase):  # type: ignore[misc]  # mem0 has no types
    """A `VectorStore` as mem0 knows one: what would reach beyond one scope is refused."""

    def __init__(self, vectors: VectorStore, embedder: Embedder, **_: object) -> None:
        self._vectors, self._space = vectors, embedder.space

    def insert(
        self, vectors: Sequence[Vectors], payloads: Sequence[dict[str, Any]], ids: Sequence[str] | None = None
    ) -> None:
        """Collect what is to be kept, under its own id: together it costs one transaction. mem0's ids are not used."""
        for vector, payload in zip(vectors, payloads, strict=True):
            told = payload[BODY]
            if payload.get("agent_id") != told.memory.scope.key:
                raise InvalidError("memory: it belongs to another scope")
            told.entries.append(Entry(told.memory, self._space, vector))

    def search(
        self, query: str, vectors: Vectors, top_k: int = 5, filters: Mapping[str, Any] | None = None
    ) -> list[Found]:
        """Give what is nearest in the one scope that the filters name."""
        given = dict(filters or {})
        scope, asked = Scope.of(str(given.pop("agent_id", "*"))), given.pop(ASKED, None)
        if given or not isinstance(asked, Asked):
            raise InvalidError("memory: recalled by a scope and a moment, nothing else")
        # mem0 asks for sixty, to rank them anew by what it has not got here.
        near = self._vectors.nearest(
            scope, self._space, vectors, asked.before, asked.limit, graded_first=asked.graded_first
        )
        return [Found(memory.id, cosine, {"data": memory.text, BODY: memory}) for memory, cosine in near]

    def keyword_search(self, query: str, top_k: int = 5, filters: Mapping[str, Any] | None = None) -> None:
        """Give None: there is none."""

    def get(self, vector_id: str) -> NoReturn:
        """Refuse: an id alone names no scope."""
        raise InvalidError("memory: it is reached through its scope")

    def update(self, vector_id: str, vector: object = None, payload: object = None) -> NoReturn:
        """Refuse, as `get` does."""
        self.get(vector_id)

    def delete(self, vector_id: str) -> NoReturn:
        """Refuse, as `get` does."""
        self.get(vector_id)

    def list(self, filters: object = None, top_k: int | None = None) -> NoReturn:
        """Refuse, as `get` does."""
        self.get("")

    def reset(self) -> NoReturn:
        """Refuse: it would be everybody's."""
        self.get("")

    def create_col(self, name: str, vector_size: int, distance: str) -> NoReturn:
        """Refuse: there is one collection."""
        self.get(name)

    def list_cols(self) -> NoReturn:
        """Refuse, as `create_col` does."""
        self.get("")

    def delete_col(self) -> NoReturn:
        """Refuse, as `create_col` does."""
        self.get("")

    def col_info(self) -> NoReturn:
        """Refuse, as `create_col` does."""
        self.get("")


class Vectoriser(EmbeddingBase):  # type: ignore[misc]  # as above
    """An `Embedder` as mem0 knows one."""

    def __init__(self, config: BaseEmbedderConfig) -> None:
        super().__init__(config)
        self._embedder: Embedder = config.model

    def embed(self, text: str, memory_action: str | None = None) -> Vectors:
        """Give the vector of a text."""
        vector: Vectors = self._embedder.embed([text])[0]
        return vector


class NoModel:
    """What stands where mem0 has a language model: it is never asked, as nothing is inferred."""

    def __init__(self, config: object = None) -> None:
        self.config = config


class NoHistory:
    """What stands where mem0 writes down each change: the log has them."""

    def add_history(self, *_: object, **__: object) -> None:
        """Do nothing."""

    def close(self) -> None:
        """Do nothing."""


@dataclass(frozen=True, slots=True)
class _Chosen:
    provider: str
    config: Any


@dataclass(frozen=True, slots=True)
class _Stores:
    vectors: VectorStore
    embedder: Embedder
    collection_name: str = _PROVIDER

    def model_dump(self) -> dict[str, object]:
        """Give what the vector store is made with."""
        return {"vectors": self.vectors, "embedder": self.embedder}


def opened(vectors: VectorStore, embedder: Embedder) -> Mem0:
    """Put mem0 together.

    Raises
    ------
    InvalidError
        Something imported mem0 before, with its telemetry on.
    """
    if MEM0_TELEMETRY:
        raise InvalidError("memory: mem0 was imported with its telemetry on")
    spacy_models._load_failed_full = spacy_models._load_failed_lemma = True
    EmbedderFactory.provider_to_class[_PROVIDER] = f"{__name__}.{Vectoriser.__name__}"
    VectorStoreFactory.provider_to_class[_PROVIDER] = f"{__name__}.{ScopedVectors.__name__}"
    LlmFactory.register_provider(_PROVIDER, f"{__name__}.{NoModel.__name__}")
    config = MemoryConfig.model_construct(
        vector_store=_Chosen(_PROVIDER, _Stores(vectors, embedder)),
        embedder=_Chosen(_PROVIDER, {"model": embedder}),
        llm=_Chosen(_PROVIDER, {}),
        history_db_path=":memory:",
        reranker=None,
        version="v1.1",
        custom_instructions=None,
    )
    memory = Memory(config)
    memory.db.close()
    memory.db = NoHistory()
    opened: Mem0 = memory
    return opened
