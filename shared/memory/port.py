"""What agents' memory needs of an embedder and of a place for vectors, and what others may ask of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

from shared.memory.memory import Memory, Recollection, Revoked, Scope

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

type Vectors = NDArray[np.float32]
"""Looked at only by a type checker: a process that recalls nothing need not load numpy."""

DIMENSIONS = 384
"""Length of every embedder's vectors: a container of Cosmos DB has one. MiniLM has it; OpenAI's can be asked for it."""

MOST_RECALLED = 20


@dataclass(frozen=True, slots=True)
class Limits:
    """How much is kept per scope; what goes first is the oldest, each use counting as `days_per_use` younger.

    Attributes
    ----------
    count, size : int
        Memories, and bytes of their vectors and texts.
    days : float
        Desk time behind the newest.
    days_per_use, uses : float, int
        What an opinion that recalled it adds to its life, and how many of them count.
    """

    count: int = 10_000
    size: int = 32_000_000
    days: float = 1_000
    days_per_use: float = 30
    uses: int = 12


LIMITS = Limits()


class Embedder(Protocol):
    """Turns texts into vectors of length one whose cosine says how alike the texts are."""

    @property
    def space(self) -> str:
        """Name what its vectors can be compared with: the model, its version, their dimension."""
        ...

    @property
    def is_quick(self) -> bool:
        """Say whether a text takes so little that an event loop may do it."""
        ...

    def embed(self, texts: Sequence[str]) -> Vectors:
        """Give an ndarray of shape (n_texts, DIMENSIONS), float32; may block, from any thread.

        Raises
        ------
        TransientError
            The model is busy or away.
        InvalidError
            The model refuses, or answers something else.
        """
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Entry:
    """A memory with its vector of shape (DIMENSIONS,), and the space that this is in."""

    memory: Memory
    space: str
    vector: Vectors


class VectorStore(Protocol):
    """Keeps memories and their vectors. Called from any thread; may raise `TransientError`.

    What cannot be read of what is kept is left out, and logged.
    """

    @property
    def is_quick(self) -> bool:
        """Say whether `knows` and `nearest` take so little that an event loop may do them; nothing else may."""
        ...

    def keep(self, entries: Sequence[Entry]) -> None:
        """Keep memories under their ids, once; a known one only gains an outcome. What rests on a revoked source is not
        kept. What passes the limits is forgotten."""
        ...

    def complete(self, memories: Sequence[Memory], space: str) -> list[Memory]:
        """Give those that are kept in a space their outcomes, and give back the others, which are to be embedded."""
        ...

    def nearest(
        self, scope: Scope, space: str, vector: Vectors, before: datetime, limit: int, *, graded_first: bool = False
    ) -> list[tuple[Memory, float]]:
        """Give the memories of a space, known before a moment, with the greatest cosines, greatest first.

        Parameters
        ----------
        graded_first : bool
            Prefer those whose outcome was known before that moment, whatever their cosines.
        """
        ...

    def latest(self, scope: Scope, before: datetime, limit: int) -> list[Memory]:
        """Give the newest memories known before a moment, newest first."""
        ...

    def get(self, scope: Scope, memory_id: str) -> Memory | None:
        """Give one memory of a scope."""
        ...

    def delete(self, scope: Scope, memory_id: str) -> None:
        """Forget one memory of a scope; another scope's stays."""
        ...

    def knows(self, scope: Scope, graded_before: datetime | None = None) -> bool:
        """Say whether anything is kept in a scope; given a moment, whether anything was graded before it.

        A store where that would be a request of its own may answer for the whole scope; never no where there is some.
        """
        ...

    def forget(self, owner: str, *, is_trial: bool = False) -> int:
        """Forget all of an owner's, whatever agent's it is, and give the number; a trial only counts."""
        ...

    def resting_on(self, source: str, owner: str | None, *, everyone: bool) -> Revoked:
        """Give what revoking a source would forget, and what that has influenced."""
        ...

    def revoke(self, source: str, owner: str | None, *, everyone: bool) -> None:
        """Forget what rests on a source, of one owner or of everyone, and keep nothing that does any more."""
        ...

    def clear(self) -> None:
        """Forget everything, revocations too, before a rebuild."""
        ...

    def close(self) -> None:
        """Let go of what is held open."""
        ...


class Recalling(Protocol):
    """What an agent needs of its memory."""

    async def recall(
        self, scope: Scope, text: str, as_of: datetime, limit: int = 5, *, graded_first: bool = False
    ) -> list[Recollection]:
        """Give what is most like a situation of all that was known *before* `as_of`, and as it was known then.

        Parameters
        ----------
        graded_first : bool
            Take what was graded by then before what was not; where nothing was, it may give nothing.

        Returns
        -------
        list of Recollection
            Most alike first; at most `MOST_RECALLED`.
        """
        ...


class Memories(Recalling, Protocol):
    """The desk's memory, all scopes of it."""

    async def remember(self, memories: Sequence[Memory]) -> None:
        """Keep memories, each in its scope, once; a known one only gains its outcome."""
        ...

    async def latest(self, scope: Scope, as_of: datetime, limit: int = 20) -> list[Memory]:
        """Give the newest that was known before `as_of`, as it was known then; newest first."""
        ...

    async def get(self, scope: Scope, memory_id: str) -> Memory | None:
        """Give one memory of a scope; None where it has none of this id, whoever else does."""
        ...

    async def delete(self, scope: Scope, memory_id: str) -> None:
        """Forget one memory of a scope; nothing happens where it has none of this id."""
        ...

    async def forget(self, owner: str) -> int:
        """Forget all of an owner's and give the number; a rebuild would remember what the log still holds."""
        ...

    async def resting_on(self, source: str, owner: str | None, *, everyone: bool) -> Revoked:
        """Give what revoking a source would forget, and what that has influenced."""
        ...

    async def revoke(self, source: str, owner: str | None, *, everyone: bool) -> None:
        """Forget what rests on a source, of one owner or of everyone, and keep nothing that does any more."""
        ...

    async def clear(self) -> None:
        """Forget everything, before a rebuild."""
        ...

    async def close(self) -> None:
        """Let go of what is held open."""
        ...


@dataclass(frozen=True, slots=True)
class OwnMemory:
    """One agent's memory, as its handlers see it: no other agent's can be named, and nothing written."""

    memories: Recalling
    agent: str

    async def recall(self, owner: str | None, text: str, as_of: datetime, limit: int = 5) -> list[Recollection]:
        """Give what the agent remembers for an owner that is most like a situation, graded ones first."""
        return await self.memories.recall(Scope(self.agent, owner), text, as_of, limit, graded_first=True)
