"""What a language model was asked and said: each call, and the prose that stands beside an event's numbers."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from shared.events.envelope import Event, Fact, NonNegative, Token

Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
"""SHA-256 in lower-case hexadecimal digits."""


class Took(Fact):
    """What a call took: telemetry, never part of an event's meaning, and left out of its hashes.

    Attributes
    ----------
    attempts : int
        Requests that were made; 0 where none was.
    cost : float or None
        By the desk's table of prices, in its currency; None for a model that it does not list.
    latency_ms : float
        Milliseconds from the first request to the last answer.
    """

    attempts: int = Field(ge=0, le=2)
    input_tokens: int = Field(ge=0)
    output_tokens: int = Field(ge=0)
    cost: NonNegative | None = None
    latency_ms: NonNegative


class ModelCall(Fact):
    """A question to a language model and its answer, which a replay takes from here instead of asking again.

    Attributes
    ----------
    question : str
        Hash of all that was asked: prompt, facts and the answer's schema, but not of whom.
    prompt : str
        Name of the prompt's file and the first 12 digits of its hash, for example `classify_headline@0f1e2d3c4b5a`.
    model : str
        Its name, or the deployment's in Azure.
    seed : int
        Of the request that was answered last; its temperature was 0.
    answer : str or None
        JSON, checked against the schema; None where the model gave none that holds.
    abstained : str or None
        Why there is no answer.
    """

    question: Digest
    prompt: str = Field(max_length=100)
    model: str = Field(max_length=200)
    seed: int
    answer: str | None = Field(default=None, max_length=8_000)
    abstained: str | None = Field(default=None, max_length=500)
    took: Took

    @model_validator(mode="after")
    def _answers_or_abstains(self) -> "ModelCall":
        if (self.answer is None) == (self.abstained is None):
            raise ValueError("either there is an answer or the reason why there is none")
        return self


class Explanation(Fact):
    """Prose of a language model on an event; its numbers are the event's, or it would have been dropped.

    Attributes
    ----------
    explains : str
        Id of the event.
    kind : str
        That event's type.
    text : str
        Plain text; empty when abstained.
    notes : dict of str to str
        By agent: a sentence on what it contributed.
    abstained : str or None
        Why there is no text.
    """

    explains: Token
    kind: Literal["consensus.reached", "options.suggested", "risk.assessed"]
    text: str = Field(default="", max_length=2_000)
    notes: dict[Token, Annotated[str, Field(max_length=500)]] = Field(default_factory=dict)
    abstained: str | None = Field(default=None, max_length=500)
    calls: tuple[ModelCall, ...]


class ExplanationWritten(Event):
    """`explanation.written`: a language model put an event's numbers into words, or said why it could not."""

    type: Literal["explanation.written"] = "explanation.written"
    data: Explanation
