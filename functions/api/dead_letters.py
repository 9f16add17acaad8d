"""Dead letters over HTTP: what was given up and why, and the way back."""

from typing import Annotated

from fastapi import Path, Response
from pydantic import BaseModel

from functions.api import operation
from functions.api.problem import documented
from shared.bus.port import DeadLetter
from shared.bus.topology import agent_of
from shared.errors import MissingError
from shared.wiring import desk

router = operation.router("/api/dead-letters", "operations")

Name = Annotated[
    str, Path(pattern=r"^[^/]{1,200}:\d{1,18}$", description="As listed, for example `events:risk-manager:42`.")
]


class DeadLetterView(BaseModel):
    """A message that an agent was given too often without handling it.

    Attributes
    ----------
    id : str
        Names it here.
    event : str
        Id of the event in it, as the message says.
    type, correlation : str
        Type of the event, and id of the event that its story began with.
    delivery_count : int
        How often the agent was given it.
    """

    id: str
    agent: str
    message_id: str
    event: str
    type: str
    correlation: str
    delivery_count: int
    reason: str


class DeadLetters(BaseModel):
    """All dead letters, oldest first."""

    dead_letters: list[DeadLetterView]


class Redriven(BaseModel):
    """A dead letter that is on its way again.

    Attributes
    ----------
    message_id : str
        Under which it was published; who has handled its event already completes it without a look.
    """

    id: str
    message_id: str


@router.get("", response_model=DeadLetters)
async def list_dead_letters() -> Response:
    """Give what was given up, oldest first; a `step.failed` tells of each, too."""
    letters = await desk().bus.dead_letters()
    return operation.answer(DeadLetters(dead_letters=[_view(letter) for letter in letters]))


@router.post("/{id}/redrive", response_model=Redriven, status_code=202, responses=documented(404, 409))
async def redrive_dead_letter(id: Name) -> Response:
    """Send a dead letter again, with its cause and its story. Once sent it is listed no more."""
    bus = desk().bus
    letter = next((letter for letter in await bus.dead_letters() if _name(letter) == id), None)
    if letter is None:
        raise MissingError(f"there is no dead letter {id}")
    again = await bus.redrive(letter)
    return operation.answer(Redriven(id=id, message_id=again.message_id), 202)


def _name(letter: DeadLetter) -> str:
    return f"{letter.subscription.replace('/', ':')}:{letter.sequence}"


def _view(letter: DeadLetter) -> DeadLetterView:
    message = letter.message
    return DeadLetterView(
        id=_name(letter),
        agent=agent_of(letter.subscription),
        message_id=message.message_id,
        event=message.message_id.partition(":")[0].partition("~")[0],
        type=message.subject,
        correlation=message.correlation_id,
        delivery_count=letter.delivery_count,
        reason=letter.reason,
    )
