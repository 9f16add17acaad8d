"""Questions over HTTP: ask the desk something in plain words, and read what its own events say to that."""

from typing import Annotated, Literal
from uuid import uuid4

from fastapi import Depends, Path, Response
from pydantic import BaseModel, ConfigDict

from functions.api import operation
from functions.api.access import Calling
from functions.api.problem import FieldError, documented
from functions.api.request import IdempotencyKey, check_json, own
from shared.callers.caller import Caller
from shared.events.catalogue import decode
from shared.events.envelope import Token, UtcTime, derive_id
from shared.events.question import Finding, LookUp, Question, QuestionAsked, Research
from shared.wiring import Desk, desk

router = operation.router("/api/questions", "questions")


class QuestionRequest(Question):
    """A question in plain words, of at most 500 characters."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"text": "What is the risk of my portfolio main, and why did Apple fall?"}]}
    )


class ResearchView(Research):
    """What the research agent found, or why it has no answer, and the event that it came as.

    Attributes
    ----------
    event : str
        Id of the `research.completed`.
    """

    event: Token


class WrittenView(BaseModel):
    """A language model's answer from the same events, or why it gave none that holds.

    Attributes
    ----------
    text : str
        Each sentence with the places of the findings that say it: `[1]`; empty where it abstained.
    findings : list of Finding
        Those that are cited.
    looked_up : list of LookUp
        What it looked up besides what the research found.
    model : str
        Its name.
    event : str
        Id of the `answer.written`, which holds what was asked and what it took.
    """

    text: str = ""
    findings: list[Finding] = []
    looked_up: list[LookUp] = []
    abstained: str | None = None
    model: str
    event: Token


class QuestionView(BaseModel):
    """A question and its answer. Times are the desk's.

    Attributes
    ----------
    state : str
        `open` until there is an answer, then `answered`.
    written : WrittenView or None
        Comes after the answer, where the desk has a language model.
    """

    id: Token
    state: Literal["open", "answered"]
    asked_at: UtcTime
    question: Question
    research: ResearchView | None
    written: WrittenView | None = None


@router.post(
    "",
    status_code=202,
    response_model=QuestionView,
    dependencies=[Depends(check_json)],
    responses=documented(400, 409, 413, 415)
    | {202: {"headers": {"Location": {"description": "Where to follow it.", "schema": {"type": "string"}}}}},
)
async def ask_question(caller: Calling, request: QuestionRequest, idempotency_key: IdempotencyKey = None) -> Response:
    """Ask the desk a question; it answers from what is known now, with the events behind each sentence."""
    current = desk()
    question_id = derive_id("question", *own(caller, idempotency_key)) if idempotency_key else str(uuid4())
    await _record(current, caller, question_id, Question(text=request.text))
    return await _answer(current, caller, question_id, 202, {"Location": f"/api/questions/{question_id}"})


@router.get("/{question_id}", response_model=QuestionView, responses=documented(404))
async def get_question(caller: Calling, question_id: Annotated[Token, Path()]) -> Response:
    """Give a question, and its answer once there is one."""
    return await _answer(desk(), caller, question_id)


async def _answer(
    current: Desk, caller: Caller, question_id: str, status: int = 200, headers: dict[str, str] | None = None
) -> Response:
    view = QuestionView.model_validate(await current.queries.question(caller, question_id))
    return operation.answer(view, status, headers)


async def _record(current: Desk, caller: Caller, question_id: str, question: Question) -> None:
    asked = QuestionAsked.first(
        id=question_id,
        source="api",
        stream=f"question-{question_id}",
        time=current.clock.now(),
        data=question,
        owner=caller.owner,
    )
    if await current.runtime.emit([asked]):
        return
    known = decode(await current.queries.event(caller, question_id, asked.stream))
    if known.data != question:
        raise FieldError("idempotency-key", "it was used for another question", 409)
