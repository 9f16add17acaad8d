"""The research agent: asked a question in plain English, answers with sentences that the desk's own events say.

It concludes nothing itself. What it says are numbers and headlines that others published, as of the question, each with
the events that it can be followed to; what it does not find, it names. `gather` and `compose` know nothing of each
other: an answer may be written otherwise from the same pieces.
"""

from dataclasses import dataclass

from shared.agents.decision import Decision, Stateless
from shared.agents.research_answer import compose
from shared.agents.research_evidence import Sources, gather
from shared.agents.research_question import Known, understand
from shared.errors import MissingError
from shared.events.emit import Emit
from shared.events.question import QuestionAsked, Research, ResearchCompleted
from shared.projections.portfolio import Portfolios

NAME = "research_agent"


MOST_PORTFOLIOS = 20
"""Portfolios of one owner that a question can be about."""


@dataclass(frozen=True, slots=True)
class ResearchDeps:
    """What the research agent may read."""

    sources: Sources
    portfolios: Portfolios
    watchlist: tuple[str, ...]


async def on_question_asked(event: QuestionAsked, _state: Stateless, deps: ResearchDeps) -> Decision[Stateless]:
    """Answer, or say why not."""
    try:
        research = await _research(event, deps)
    except MissingError as error:
        research = Research(until=event.time, abstained=str(error))
    return Decision(emits=(Emit(ResearchCompleted.caused_by(event, source=NAME, data=research)),))


async def _research(event: QuestionAsked, deps: ResearchDeps) -> Research:
    known = Known(deps.watchlist, await _portfolios(event, deps.portfolios))
    asked = understand(event.data.text, event.time, known)
    return compose(asked, await gather(asked, event.owner, known, deps.sources))


async def _portfolios(event: QuestionAsked, portfolios: Portfolios) -> tuple[str, ...]:
    # The names have no date: which of them there were when the question was asked, the portfolios themselves say.
    held: list[str] = []
    for name in await portfolios.names(event.owner):
        if len(held) < MOST_PORTFOLIOS and await portfolios.get(event.owner, name, event.time) is not None:
            held.append(name)
    return tuple(held)
