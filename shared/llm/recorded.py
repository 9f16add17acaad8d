"""A language model that is never asked: for replays, which take the answers from the events that they led to."""

from collections.abc import Iterable, Mapping
from typing import Self

from pydantic import BaseModel, ValidationError

from shared.events.envelope import Event
from shared.events.explanation import ModelCall, Took
from shared.llm.port import Question, Reply


class RecordedModel:
    """A `LanguageModel` that gives what was answered before, and abstains from what never was asked.

    Parameters
    ----------
    calls : mapping of (str, str) to ModelCall
        By the id of the event that they were made for, and the digest of the question.
    """

    def __init__(self, calls: Mapping[tuple[str, str], ModelCall]) -> None:
        self._calls = calls

    @classmethod
    def of(cls, events: Iterable[Event]) -> Self:
        """Give one that knows the calls of some events."""
        return cls(
            {
                (event.causationid or "", call.question): call
                for event in events
                for call in getattr(event.data, "calls", ())
            }
        )

    async def ask[A: BaseModel](self, question: Question[A]) -> Reply[A]:
        """Give the recorded answer, and the record as it is; none where this version takes other answers."""
        call = self._calls.get((question.cause, question.digest))
        if call is None:
            return Reply(None, _none(question, "never asked in what is replayed"))
        if call.answer is None:
            return Reply(None, call)
        try:
            return Reply(question.answer.model_validate_json(call.answer), call)
        except ValidationError:
            return Reply(None, _none(question, "what was answered then is no answer to this version"))


def _none[A: BaseModel](question: Question[A], reason: str) -> ModelCall:
    return ModelCall(
        question=question.digest,
        prompt=question.prompt.version,
        model="recorded",
        seed=0,
        abstained=reason,
        took=Took(attempts=0, input_tokens=0, output_tokens=0, latency_ms=0),
    )
