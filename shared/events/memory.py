"""Events about what agents remember."""

from typing import Literal

from pydantic import Field

from shared.events.envelope import Event, Fact, Token

MOST_NAMED = 1_000


class Revocation(Fact):
    """A source that nothing may be remembered of any more, and what that took away.

    Attributes
    ----------
    source : str
        Id of an event that memories rest on.
    everyone : bool
        Whether it holds for all owners, as an operator's does; else for the event's owner alone.
    memories : tuple of str
        Ids of what was forgotten; at most 1,000 are named.
    influenced : tuple of str
        Ids of the events with opinions that had recalled any of it, directly or through one another; those stand.
    """

    source: Token
    everyone: bool
    memories: tuple[Token, ...] = Field(default=(), max_length=MOST_NAMED)
    influenced: tuple[Token, ...] = Field(default=(), max_length=MOST_NAMED)


class MemoryRevoked(Event):
    """`memory.revoked`: what rests on a source was forgotten, and stays so when memory is rebuilt."""

    type: Literal["memory.revoked"] = "memory.revoked"
    data: Revocation
