"""What the desk needs of a language model, and what a language model's adapter needs to do.

An agent asks a `LanguageModel`. It never raises for what a model does: there is an answer that holds to its schema, or
a reason to abstain. Underneath, a `Completer` speaks to one kind of server and raises what went wrong there.
"""

from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Literal, Protocol

from pydantic import BaseModel
from pydantic_core import to_json

from shared.errors import FinAgentError
from shared.events.explanation import ModelCall
from shared.llm.prompt import Prompt
from shared.llm.schema import strict_schema

type Said = tuple[Literal["system", "user"], str]


@dataclass(frozen=True, slots=True)
class Question[A: BaseModel]:
    """What is asked.

    Attributes
    ----------
    facts : str
        What the answer is about: numbers of ours as JSON, and fenced what others wrote (see `fenced`).
    answer : type of BaseModel
        The answer's shape; every field is required, unknown ones are refused.
    cause : str
        Id of the event that it is asked for.
    owner : str
        On whose budget; empty for the desk's own.
    most_tokens : int
        Of the answer.
    """

    prompt: Prompt
    facts: str
    answer: type[A]
    cause: str
    owner: str = ""
    most_tokens: int = 300

    @property
    def schema(self) -> dict[str, Any]:
        """The answer's JSON schema."""
        return strict_schema(self.answer)

    @property
    def digest(self) -> str:
        """What names this question: the same prompt, facts and schema, whoever is asked and on whose budget."""
        return sha256(to_json([self.prompt.digest, self.facts, self.schema])).hexdigest()


@dataclass(frozen=True, slots=True)
class Reply[A: BaseModel]:
    """An answer, or None where there is none; and the record of the call, which says why."""

    answer: A | None
    call: ModelCall


class LanguageModel(Protocol):
    """Who is asked."""

    async def ask[A: BaseModel](self, question: Question[A]) -> Reply[A]:
        """Give the answer, or the reason why there is none.

        Raises
        ------
        TransientError
            The budget cannot be read now; nothing was asked.
        """
        ...


@dataclass(frozen=True, slots=True)
class Request:
    """One request for a completion.

    Attributes
    ----------
    messages : tuple of (role, text)
        In order.
    schema : dict
        That the answer must have; a server may ignore it.
    seconds : float
        Wall seconds that it may take.
    """

    messages: tuple[Said, ...]
    name: str
    schema: dict[str, Any]
    seed: int
    most_tokens: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Completion:
    """What came back, and what it took, as the server says it: None where it does not.

    Attributes
    ----------
    ending : str
        `stop` where the model had said all, `length` where it was cut off, `refusal` where it would not say.
    """

    text: str
    ending: Literal["stop", "length", "refusal"]
    input_tokens: int | None = None
    output_tokens: int | None = None


class UnansweredError(FinAgentError):
    """A request was not answered.

    Parameters
    ----------
    reason : str
        In words of ours: nothing that the server wrote.
    after_seconds : float or None
        When it may be worth another try; None where it would be answered the same.
    is_free : bool
        Whether the server surely did not work for it, so that nothing has to be paid.
    """

    def __init__(self, reason: str, after_seconds: float | None = None, *, is_free: bool = True) -> None:
        super().__init__(reason)
        self.after_seconds = after_seconds
        self.is_free = is_free


class Completer(Protocol):
    """A server of language models."""

    model: str

    async def complete(self, request: Request) -> Completion:
        """Give a completion.

        Raises
        ------
        UnansweredError
            There is none.
        """
        ...

    async def close(self) -> None:
        """Let go of connections."""
        ...
