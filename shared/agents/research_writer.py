"""Writes the answer to a question in a language model's words, from the desk's own findings.

The model may look up what it still needs, some times, among what whoever asked may read and as of the question: no tool
writes. Each sentence must name the findings that say it, and hold no other number than theirs; otherwise all of it is
dropped with the reason, and the answer that rules composed stands alone, as it does without a model.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field
from pydantic_core import to_json

from shared.agents.prose import flaw
from shared.agents.research_answer import rank
from shared.agents.research_evidence import Sources, gather
from shared.agents.research_period import Period
from shared.agents.research_question import TOPICS, Known, Understood
from shared.events.explanation import ModelCall
from shared.events.question import Finding, LookUp, QuestionAsked, ResearchCompleted, Topic, Written
from shared.llm.port import LanguageModel, Question, Reply
from shared.llm.prompt import fenced, prompt

TURNS = 4
"""Questions to the model, of which each but the last may look something up."""
MOST_LOOK_UPS = 6
MOST_SHOWN = 40
"""Findings that the model is shown."""
MOST_FOUND = 5
"""Of one look-up, the most relevant."""
_ANSWER_TOKENS = 900

_Name = Annotated[str, Field(min_length=1, max_length=200)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)


class Wanted(_Part):
    """What a model wants to look up."""

    topic: Topic
    subject: _Name


class Sentence(_Part):
    """A sentence, and the numbers of the findings that say it."""

    text: Annotated[str, Field(min_length=5, max_length=400)]
    findings: Annotated[list[int], Field(min_length=1, max_length=8)]


class Turn(_Part):
    """What a model does next: it looks up, or it answers."""

    look_up: Annotated[list[Wanted], Field(max_length=MOST_LOOK_UPS)]
    answer: Annotated[list[Sentence], Field(max_length=8)]


@dataclass(slots=True)
class _Desk:
    """What the model sees of the desk, and what it did so far."""

    asked: QuestionAsked
    research: ResearchCompleted
    known: Known
    sources: Sources
    findings: list[Finding] = field(default_factory=list)
    looked_up: list[LookUp] = field(default_factory=list)
    calls: list[ModelCall] = field(default_factory=list)

    @property
    def left(self) -> int:
        """How much may still be looked up."""
        return max(0, MOST_LOOK_UPS - len(self.looked_up))


async def write(
    asked: QuestionAsked, research: ResearchCompleted, known: Known, sources: Sources, model: LanguageModel
) -> Written:
    """Give the answer in the model's words, or the reason why there is none.

    Raises
    ------
    TransientError
        What is looked up, or the budget, cannot be read now.
    """
    desk = _Desk(asked, research, known, sources, list(research.data.findings))
    for turn in range(TURNS):
        reply = await _ask(desk, model, may_look_up=turn < TURNS - 1)
        desk.calls.append(reply.call)
        if reply.answer is None:
            return _written(desk, abstained=reply.call.abstained)
        if reply.answer.answer:
            return _checked(desk, reply.answer.answer)
        if not reply.answer.look_up:
            return _written(desk, abstained="neither an answer nor anything to look up")
        for wanted in reply.answer.look_up[: desk.left]:
            await _look_up(desk, wanted)
    return _written(desk, abstained=f"no answer after {TURNS} turns")


async def _ask(desk: _Desk, model: LanguageModel, *, may_look_up: bool) -> Reply[Turn]:
    facts = f"{fenced(desk.asked.data.text)}\n{fenced(_facts(desk, desk.left if may_look_up else 0))}"
    owner = desk.asked.owner or ""
    question = Question(prompt("answer_question"), facts, Turn, desk.research.id, owner, _ANSWER_TOKENS)
    return await model.ask(question)


def _facts(desk: _Desk, left: int) -> str:
    shown: dict[str, Any] = {
        "as_of": desk.research.data.until,
        "symbols": desk.known.symbols,
        "portfolios": desk.known.portfolios,
        "topics": list(TOPICS),
        "look_ups_left": left,
        "looked_up": [each.model_dump() for each in desk.looked_up],
        "findings": [
            {"n": number, "topic": each.topic, "subject": each.subject, "at": each.happened_at, "text": each.text}
            for number, each in enumerate(desk.findings[:MOST_SHOWN], 1)
        ],
    }
    return to_json(shown).decode()


async def _look_up(desk: _Desk, wanted: Wanted) -> None:
    """Add what is found on a topic of a subject; a subject that is not the asker's to read is not there."""
    symbols = tuple(each for each in desk.known.symbols if each == wanted.subject)
    portfolios = tuple(each for each in desk.known.portfolios if each == wanted.subject)
    found = list[Finding]()
    if symbols or portfolios:
        found = await _found(desk, wanted.topic, symbols, portfolios)
    desk.findings += found[: max(0, MOST_SHOWN - len(desk.findings))]
    # What a model makes up for a name is not repeated.
    subject = wanted.subject if symbols or portfolios else "unknown"
    desk.looked_up.append(LookUp(topic=wanted.topic, subject=subject, found=len(found)))


async def _found(desk: _Desk, topic: Topic, symbols: tuple[str, ...], portfolios: tuple[str, ...]) -> list[Finding]:
    research = desk.research.data
    period = Period(research.since, research.until)
    asking = Understood(symbols, (), portfolios, (), (topic,), period, (), ())
    pieces = (await gather(asking, desk.asked.owner, desk.known, desk.sources)).pieces
    known = {each.text for each in desk.findings}
    return [each for each in rank(asking, pieces) if each.text not in known][:MOST_FOUND]


def _checked(desk: _Desk, sentences: Sequence[Sentence]) -> Written:
    shown = desk.findings[:MOST_SHOWN]
    for sentence in sentences:
        if not all(1 <= number <= len(shown) for number in sentence.findings):
            return _written(desk, abstained="a sentence names a finding that there is not")
        said = [shown[number - 1] for number in sentence.findings]
        facts = " ".join(f"{each.text} {each.happened_at:%Y-%m-%d}" for each in said)
        if (wrong := flaw(sentence.text, facts)) is not None:
            return _written(desk, abstained=wrong)
    cited = list(dict.fromkeys(number for sentence in sentences for number in sentence.findings))
    places = {number: place for place, number in enumerate(cited, 1)}
    told = (
        " ".join((" ".join(each.text.split()), *(f"[{places[number]}]" for number in dict.fromkeys(each.findings))))
        for each in sentences
    )
    return _written(desk, " ".join(told), [shown[number - 1] for number in cited])


def _written(desk: _Desk, text: str = "", findings: Sequence[Finding] = (), *, abstained: str | None = None) -> Written:
    return Written(
        research=desk.research.id,
        text=text,
        findings=tuple(findings),
        looked_up=tuple(desk.looked_up),
        abstained=abstained,
        calls=tuple(desk.calls),
    )
