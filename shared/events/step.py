"""Failure as an event: what could not be handled is kept, with its reason and its content; and who falls silent."""

from typing import Literal

from pydantic import Field

from shared.events.envelope import Event, Fact, Token


class Failure(Fact):
    """A message that an agent will never handle.

    Attributes
    ----------
    agent : str
        Whose message it was.
    reason : str
        What was wrong, in words.
    payload : str
        The message's body; base64 where it was not UTF-8 (see `encoding`).
    attempts : int
        How often it was tried.
    """

    agent: Token
    reason: str = Field(max_length=4_000)
    message_id: str
    subject: str
    payload: str
    encoding: Literal["utf-8", "base64"]
    attempts: int = Field(ge=1)


class StepFailed(Event):
    """`step.failed`: a message was given up, and nothing of it was lost."""

    type: Literal["step.failed"] = "step.failed"
    data: Failure


class Silence(Fact):
    """An agent that abstains more often than not.

    Attributes
    ----------
    abstained, of : int
        So many of its newest answers, and how many were looked at.
    reason : str
        Of the last abstention.
    """

    agent: Token
    abstained: int = Field(ge=1)
    of: int = Field(ge=1)
    reason: str = Field(max_length=500)


class AgentSilenceDetected(Event):
    """`agent.silence.detected`: an agent abstains more often than not; told once, until it has recovered."""

    type: Literal["agent.silence.detected"] = "agent.silence.detected"
    data: Silence
