"""A language model that keeps to a budget, is patient once, and accounts for every call.

For each request money is set aside first. What goes wrong is tried once more where that can help; after that there is
a reason to abstain. Whatever was really used is charged to the execution that asked, also where its answer was useless.
"""

import asyncio
import json
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any

from pydantic import BaseModel

from shared.errors import InvalidError
from shared.events.explanation import ModelCall, Took
from shared.llm.budget import Budget, OverBudgetError
from shared.llm.port import Completer, Completion, Question, Reply, Request, Said, UnansweredError
from shared.llm.schema import read_answer

logger = logging.getLogger(__name__)

ATTEMPTS = 2
SEED = 20_080_102
LONGEST_PAUSE_SECONDS = 5.0
"""A server that wants a longer pause has no answer."""
LONGEST_ANSWER = 8_000
_BYTES_PER_TOKEN = 2
"""Fewer than in any text that a tokenizer was made for: what is set aside should be enough."""
_ENVELOPE_TOKENS = 100
"""For the schema, which a server may read once more in a form of its own."""

_MOST_TOKENS = 10_000_000
"""What a server claims beyond that is nonsense."""

type Price = Callable[[str, int, int], float | None]
"""What so many tokens of a model, read and written, cost; None for one that has no price."""
type Dearest = Callable[[int, int], float]
type Charge = Callable[[str, int, int, float], None]
"""Told of a model, tokens read and written, and seconds of waiting."""


@dataclass(slots=True)
class _Tally:
    """What a question has taken so far."""

    began: float = field(default_factory=perf_counter)
    complaint: str = ""
    attempts: int = 0
    input_tokens: int = 0
    output_tokens: int = 0

    def add(self, read: int, written: int) -> None:
        """Add a request's tokens."""
        self.input_tokens += read
        self.output_tokens += written


class AccountableModel:
    """A `LanguageModel` over a server.

    Parameters
    ----------
    price : Price
        By the desk's table. A model without a price is charged as the dearest that has one.
    dearest : Dearest
        What so many tokens read and written of the dearest cost.
    charge : Charge
        Told of each request that was made.
    seconds : float
        Patience with one request.
    """

    def __init__(
        self, completer: Completer, budget: Budget, price: Price, dearest: Dearest, charge: Charge, seconds: float
    ) -> None:
        self._completer = completer
        self._budget = budget
        self._price = price
        self._dearest = dearest
        self._charge = charge
        self._seconds = seconds

    async def ask[A: BaseModel](self, question: Question[A]) -> Reply[A]:
        """Give the answer, or the reason why there is none."""
        tally, reason = _Tally(), ""
        while tally.attempts < ATTEMPTS:
            try:
                answer = read_answer(await self._completed(question, tally), question.answer)
                return Reply(answer, self._call(question, tally, answer=answer.model_dump_json()))
            except InvalidError as error:
                reason = tally.complaint = str(error)
            except OverBudgetError as error:
                reason = f"{reason}; then {error}" if reason else str(error)
                break
            except UnansweredError as error:
                reason = str(error)
                if error.after_seconds is None or error.after_seconds > LONGEST_PAUSE_SECONDS:
                    break
                if tally.attempts < ATTEMPTS:
                    await asyncio.sleep(error.after_seconds)
        logger.info("%s has no answer to %s: %s", self._completer.model, question.prompt.version, reason)
        return Reply(None, self._call(question, tally, abstained=reason[:500]))

    async def _completed(self, question: Question[Any], tally: _Tally) -> str:
        request = self._request(question, tally)
        most = self._most(request)
        reservation = await self._budget.reserve(question.owner, most)
        tally.attempts += 1
        began, tokens, cost = perf_counter(), (0, 0), most
        try:
            completion = await self._completer.complete(request)
            tokens = _tokens(completion, request)
            cost = self._cost(*tokens)
        except UnansweredError as error:
            cost = 0.0 if error.is_free else most
            raise
        finally:
            self._charge(self._completer.model, *tokens, perf_counter() - began)
            tally.add(*tokens)
            await self._budget.settle(reservation, cost)
        return _text(completion)

    def _request(self, question: Question[Any], tally: _Tally) -> Request:
        schema = question.schema
        system = f"{question.prompt.text}\nAnswer with one JSON object of this schema, and nothing else:\n"
        messages: list[Said] = [("system", system + json.dumps(schema)), ("user", question.facts)]
        if tally.complaint:
            messages.append(("user", f"Your last answer could not be used: {tally.complaint}. Answer once more."))
        return Request(
            messages=tuple(messages),
            name=question.prompt.name,
            schema=schema,
            # Asked the same with the same seed, it would say the same.
            seed=SEED + tally.attempts,
            most_tokens=question.most_tokens,
            seconds=self._seconds,
        )

    def _most(self, request: Request) -> float:
        return self._cost(_size(request) // _BYTES_PER_TOKEN + _ENVELOPE_TOKENS, request.most_tokens)

    def _cost(self, read: int, written: int) -> float:
        price = self._price(self._completer.model, read, written)
        return self._dearest(read, written) if price is None else price

    def _call(
        self, question: Question[Any], tally: _Tally, *, answer: str | None = None, abstained: str | None = None
    ) -> ModelCall:
        model = self._completer.model
        took = Took(
            attempts=tally.attempts,
            input_tokens=tally.input_tokens,
            output_tokens=tally.output_tokens,
            cost=self._price(model, tally.input_tokens, tally.output_tokens),
            latency_ms=round((perf_counter() - tally.began) * 1e3, 1),
        )
        return ModelCall(
            question=question.digest,
            prompt=question.prompt.version,
            model=model,
            seed=SEED + max(0, tally.attempts - 1),
            answer=answer,
            abstained=abstained,
            took=took,
        )


def _size(request: Request) -> int:
    return sum(len(text.encode()) for _, text in request.messages)


def _tokens(completion: Completion, request: Request) -> tuple[int, int]:
    """Give tokens read and written as the server counts them; where it does not, as many as there may be."""
    read, written = completion.input_tokens, completion.output_tokens
    if not read or written is None:
        return _size(request) // _BYTES_PER_TOKEN, request.most_tokens
    return min(max(0, read), _MOST_TOKENS), min(max(0, written), _MOST_TOKENS)


def _text(completion: Completion) -> str:
    if completion.ending == "refusal":
        raise InvalidError("the model refuses")
    if completion.ending == "length":
        raise InvalidError("the answer is cut off")
    if len(completion.text) > LONGEST_ANSWER:
        raise InvalidError(f"the answer is longer than {LONGEST_ANSWER} characters")
    return completion.text
