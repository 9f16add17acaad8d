"""The research agent: asked a question in plain English, answers with sentences that the desk's own events say.

It concludes nothing itself. What it says are numbers and headlines that others published, as of the question, each with
the events that it can be followed to; what it does not find, it names. A language model, where there is one, writes a
second answer from the same events, later and beside it.
"""

from dataclasses import dataclass

from shared.agents.decision import Decision, Stateless
from shared.agents.research_answer import compose
from shared.agents.research_evidence import Sources, gather
from shared.agents.research_question import Known, understand
from shared.agents.research_writer import write
from shared.errors import MissingError
from shared.events.catalogue import decode
from shared.events.emit import Emit
from shared.events.question import AnswerWritten, QuestionAsked, Research, ResearchCompleted
from shared.llm.port import LanguageModel
from shared.projections.portfolio import Portfolios

NAME = "research_agent"


MOST_PORTFOLIOS = 20
"""Portfolios of one owner that a question can be about."""


@dataclass(frozen=True, slots=True)
class ResearchDeps:
    """What the research agent may read."""

    sources: Sources
    portfolios: Portfolios
    model: LanguageModel | None = None


async def on_question_asked(event: QuestionAsked, _state: Stateless, deps: ResearchDeps) -> Decision[Stateless]:
    """Answer, or say why not."""
    try:
        research = await _research(event, deps)
    except MissingError as error:
        research = Research(until=event.time, abstained=str(error))
    return Decision(emits=(Emit(ResearchCompleted.caused_by(event, source=NAME, data=research)),))


async def _research(event: QuestionAsked, deps: ResearchDeps) -> Research:
    known = await _known(event, deps)
    asked = understand(event.data.text, event.time, known)
    return compose(asked, await gather(asked, event.owner, known, deps.sources))


async def on_research_completed(event: ResearchCompleted, _state: Stateless, deps: ResearchDeps) -> Decision[Stateless]:
    """Have the answer written by a language model as well, where there is one: nobody waits for it."""
    if deps.model is None:
        return Decision()
    body = await deps.sources.store.get(event.causationid or "", event.stream)
    asked = None if body is None else decode(body)
    if not isinstance(asked, QuestionAsked):
        return Decision()
    written = await write(asked, event, await _known(asked, deps), deps.sources, deps.model)
    return Decision(emits=(Emit(AnswerWritten.caused_by(event, source=NAME, data=written)),))


async def _known(event: QuestionAsked, deps: ResearchDeps) -> Known:
    return Known(deps.sources.watchlist.symbols, await _portfolios(event, deps.portfolios))


async def _portfolios(event: QuestionAsked, portfolios: Portfolios) -> tuple[str, ...]:
    # The names have no date: which of them there were when the question was asked, the portfolios themselves say.
    held: list[str] = []
    for name in await portfolios.names(event.owner):
        if len(held) < MOST_PORTFOLIOS and await portfolios.get(event.owner, name, event.time) is not None:
            held.append(name)
    return tuple(held)
