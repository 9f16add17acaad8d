"""What a handler gives back: the next state, and the events that it emits."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from shared.events.emit import Emit


@dataclass(frozen=True, slots=True)
class Decision[S]:
    """The outcome of handling one event.

    Attributes
    ----------
    state : S or None
        The agent's next state in the event's stream; None leaves it as it is.
    emits : tuple of Emit
        In order.
    """

    state: S | None = None
    emits: tuple[Emit, ...] = ()


class Stateless(BaseModel):
    """The state of an agent that remembers nothing between events."""


type Handler = Callable[[Any, Any, Any], Awaitable[Decision[Any]]]
"""What an agent does on an event: `(event, state, deps) -> Decision`. It reads through ports and changes nothing."""
