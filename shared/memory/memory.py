"""What an agent remembers, and whose that is.

One scope per agent and owner: nothing is ever read, changed or deleted across two of them.
"""

import re
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Literal

from pydantic import Field

from shared.errors import InvalidError
from shared.events.envelope import Fact, Finite, Owner, Share, Stance, Symbol, Token, UtcTime

_AGENT = re.compile(r"[a-z][a-z0-9_]{0,63}")
_OWNER = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")


@dataclass(frozen=True)
class Scope:
    """Whose memory: an agent's, of what it concluded for one owner; None is the desk itself.

    Raises
    ------
    InvalidError
        A name that is none, as `*` would be.
    """

    agent: str
    owner: str | None = None

    def __post_init__(self) -> None:
        if not _AGENT.fullmatch(self.agent) or not (self.owner is None or _OWNER.fullmatch(self.owner)):
            raise InvalidError("memory: a scope is one agent and one owner")

    @cached_property
    def key(self) -> str:
        """One text for both, that no other scope has."""
        return self.agent if self.owner is None else f"{self.agent}@{self.owner}"

    @classmethod
    def of(cls, key: str) -> "Scope":
        """Give the scope that a key belongs to."""
        agent, at, owner = key.partition("@")
        return cls(agent, owner if at else None)


class Outcome(Fact):
    """How an opinion turned out.

    Attributes
    ----------
    at : datetime
        When it was known, desk time.
    trade_return : float
        What the trade earned over the horizon, a fraction of its price.
    """

    at: UtcTime
    hit: bool
    trade_return: Finite
    horizon_days: int = Field(ge=1)


class Memory(Fact):
    """What an agent concluded, on what, and how it turned out.

    Attributes
    ----------
    event : str
        Id of the event with the opinion.
    text : str
        The situation in words of our own, by which it is found; nothing recalled and nothing from outside is in it.
    known_at : datetime
        When it was concluded, desk time.
    sources : tuple of str
        Ids of the events that it rests on, the opinion's own among them.
    recalled : tuple of str
        Ids of the memories that had a part in it.
    outcome : Outcome or None
        None until it is graded.
    """

    id: Token
    agent: Token
    owner: Owner | None = None
    event: Token
    symbol: Symbol
    side: Literal["buy", "sell"]
    stance: Stance
    confidence: Share
    text: str
    known_at: UtcTime
    sources: tuple[Token, ...] = ()
    recalled: tuple[Token, ...] = ()
    outcome: Outcome | None = None

    @property
    def scope(self) -> Scope:
        """Whose it is."""
        return Scope(self.agent, self.owner)

    def as_of(self, moment: datetime) -> "Memory":
        """Give it as it was before `moment`: an outcome that was not known yet is left out."""
        if self.outcome is None or self.outcome.at < moment:
            return self
        return Memory.model_validate(self.model_dump(exclude={"outcome"}, exclude_unset=True))


@dataclass(frozen=True, slots=True)
class Recollection:
    """A memory that came up.

    Attributes
    ----------
    similarity : float
        Cosine between its situation and the one at hand, 0 to 1.
    """

    memory: Memory
    similarity: float


@dataclass(frozen=True, slots=True)
class Revoked:
    """What rests on a revoked source, in all scopes that were asked.

    Attributes
    ----------
    memories : tuple of Memory
        What is forgotten; oldest first.
    influenced : tuple of Memory
        What had recalled any of these, directly or through one another; oldest first.
    """

    memories: tuple[Memory, ...] = ()
    influenced: tuple[Memory, ...] = ()
