"""A candidate: another version of an agent, tried out beside it on the same events.

It votes as the agent does, and its votes are kept and graded; they do not count until it is promoted. Whatever else it
would say is dropped, because others would act on it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from pydantic import BaseModel

from shared.agents.decision import Decision, Handler, Stateless
from shared.agents.step import Judge
from shared.events.envelope import Event


@dataclass(frozen=True, slots=True)
class Candidate:
    """The declaration of a candidate, which reads through the ports of the agent that it is a version of.

    Attributes
    ----------
    of : str
        The agent whose messages it is given too, and in whose place it votes when promoted.
    judges : mapping of str to Judge
        How it answers, by step.
    state : type of BaseModel
        What it remembers; its snapshots are its own.
    reactions : mapping of type to Handler
        What it does on other events that reach the agent.
    """

    of: str
    judges: Mapping[str, Judge]
    state: type[BaseModel] = Stateless
    reactions: Mapping[type[Event], Handler] = field(default_factory=dict)


def unheard(handler: Handler) -> Handler:
    """Give a handler that remembers what the other does, and says nothing of it."""

    async def on_event(event: object, state: object, deps: object) -> Decision[object]:
        """Decide, and keep it to oneself."""
        return Decision((await handler(event, state, deps)).state)

    return on_event
