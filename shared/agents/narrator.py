"""The narrator: asks a language model to put numbers into words, and to read headlines that our classifier cannot.

It works beside the desk: it reacts to what is concluded already, so that no vote and no consensus waits for it. What it
writes stands beside an event's numbers, and no agent reads it; how it reads a headline can only shrink that headline's
tone. Where there is no model it does nothing, and where the model has no answer it says why.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic_core import to_json

from shared.agents.decision import Decision, Stateless
from shared.agents.prose import flaw
from shared.events.catalogue import decode
from shared.events.emit import Emit
from shared.events.envelope import Event, Share
from shared.events.explanation import Explanation, ExplanationWritten, ModelCall
from shared.events.news import HeadlineRead, HeadlineReading, NewsReceived
from shared.events.options import OptionsSuggested
from shared.events.portfolio import RiskAssessed
from shared.events.trade import ConsensusReached, OpinionFormed, TradeRequested, Vote
from shared.llm.port import LanguageModel, Question
from shared.llm.prompt import fenced, prompt
from shared.store.port import EventStore

NAME = "narrator"
HARD_BELOW = 0.6
"""Certainty of our classifier under which a headline is hard."""
LEAST_TONE = 0.1
"""A tone nearer to zero is not worth a question: it can only shrink."""
_TEXT_TOKENS = 450
_TONE_TOKENS = 60

_Text = Annotated[str, Field(min_length=20, max_length=1_500)]
_Note = Annotated[str, Field(max_length=400)]


class _Answer(BaseModel):
    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)


class Tone(_Answer):
    """A model's reading of a headline."""

    tone: Literal["bearish", "neutral", "bullish"]
    confidence: Share


class Explained(_Answer):
    """A model's explanation of a consensus."""

    decision: Literal["approved", "rejected", "no_quorum"]
    text: _Text
    market_analyst: _Note
    risk_manager: _Note


class Narrated(_Answer):
    """A model's prose on numbers."""

    text: _Text


@dataclass(frozen=True, slots=True)
class NarratorDeps:
    """What the narrator may use: a model, where there is one, and the opinions that a consensus names."""

    model: LanguageModel | None
    store: EventStore


async def on_news_received(event: NewsReceived, _state: Stateless, deps: NarratorDeps) -> Decision[Stateless]:
    """Have a hard headline read, and say what is left of its tone: less where the model reads another."""
    from shared.quant import sentiment  # its model is only needed where headlines are scored

    if deps.model is None:
        return Decision()
    text = f"{event.data.headline}. {event.data.summary}".strip()
    tone = sentiment.score(text)
    certainty = max(tone.bearish, tone.neutral, tone.bullish)
    if certainty >= HARD_BELOW or abs(tone.value) < LEAST_TONE:
        return Decision()
    question = Question(prompt("classify_headline"), fenced(text), Tone, event.id, event.owner or "", _TONE_TOKENS)
    reply = await deps.model.ask(question)
    read = reply.answer
    reading = HeadlineReading(
        news=event.id,
        score=tone.value,
        certainty=certainty,
        tone=None if read is None else read.tone,
        confidence=None if read is None else read.confidence,
        keep=1.0 if read is None else _keep(tone.value, read),
        abstained=reply.call.abstained,
        calls=(reply.call,),
    )
    return _emitted(HeadlineRead.caused_by(event, source=NAME, data=reading))


async def on_consensus_reached(event: ConsensusReached, _state: Stateless, deps: NarratorDeps) -> Decision[Stateless]:
    """Explain a decision to who asked."""
    if deps.model is None:
        return Decision()
    facts = _facts(await _consensus(event, deps.store))
    question = Question(
        prompt("explain_consensus"), fenced(facts), Explained, event.id, event.owner or "", _TEXT_TOKENS
    )
    reply = await deps.model.ask(question)
    if reply.answer is None:
        return _written(event, "", {}, reply.call.abstained, reply.call)
    said = reply.answer
    voted = {vote.agent for vote in event.data.votes if vote.abstained is None}
    notes = {"market_analyst": said.market_analyst.strip(), "risk_manager": said.risk_manager.strip()}
    notes = {agent: note for agent, note in notes.items() if note and agent in voted}
    wrong = None if said.decision == event.data.decision else "another decision than was reached"
    wrong = wrong or next(filter(None, (flaw(each, facts) for each in (said.text, *notes.values()))), None)
    return _written(event, said.text, notes, wrong, reply.call)


async def on_risk_assessed(event: RiskAssessed, _state: Stateless, deps: NarratorDeps) -> Decision[Stateless]:
    """Put a portfolio's risk into words."""
    if not event.data.weights:
        return Decision()
    return await _narrated(event, event.data.model_dump(mode="json", exclude={"portfolio"}), deps)


async def on_options_suggested(event: OptionsSuggested, _state: Stateless, deps: NarratorDeps) -> Decision[Stateless]:
    """Put a suggested option strategy into words."""
    if event.data.suggested is None:
        return Decision()
    left_out: Any = {"evidence": True, "rejected": True, "suggested": {"payoff": True}}
    return await _narrated(event, event.data.model_dump(mode="json", exclude_none=True, exclude=left_out), deps)


async def _narrated(event: Event, found: Mapping[str, Any], deps: NarratorDeps) -> Decision[Stateless]:
    if deps.model is None:
        return Decision()
    facts = _facts({"event": event.type, **found})
    question = Question(prompt("narrate"), fenced(facts), Narrated, event.id, event.owner or "", _TEXT_TOKENS)
    reply = await deps.model.ask(question)
    if reply.answer is None:
        return _written(event, "", {}, reply.call.abstained, reply.call)
    return _written(event, reply.answer.text, {}, flaw(reply.answer.text, facts), reply.call)


async def _consensus(event: ConsensusReached, store: EventStore) -> dict[str, Any]:
    """Give what there is to explain: figures and reasons of ours, and nothing that anybody else wrote."""
    decided = event.data
    asked = await _read(decided.trigger, event.stream, store)
    trade = asked.data if isinstance(asked, TradeRequested) else None
    votes = [await _vote(vote, event.stream, store) for vote in decided.votes]
    counted = [vote.stance for vote in decided.votes if vote.abstained is None]
    return {
        "trade": trade and trade.model_dump(mode="json", include={"symbol", "side", "quantity"}),
        "decision": decided.decision,
        "score": decided.score,
        "dispersion": decided.dispersion,
        "closed_by": decided.closed_by,
        "voted": len(counted),
        "for": sum(stance > 0 for stance in counted),
        "against": sum(stance < 0 for stance in counted),
        "abstained": len(decided.votes) - len(counted),
        "missing": decided.missing,
        "vetoes": decided.vetoes,
        "votes": votes,
    }


async def _vote(vote: Vote, stream: str, store: EventStore) -> dict[str, Any]:
    formed = await _read(vote.opinion, stream, store)
    reason = formed.data.rationale if isinstance(formed, OpinionFormed) else ""
    kept = vote.model_dump(mode="json", include={"agent", "stance", "confidence", "weight"})
    return {**kept, "reason": reason} if vote.abstained is None else {"agent": vote.agent, "abstained": vote.abstained}


async def _read(event_id: str, stream: str, store: EventStore) -> Event | None:
    body = await store.get(event_id, stream)
    return None if body is None else decode(body)


def _facts(found: Mapping[str, Any]) -> str:
    return to_json(_rounded(found)).decode()


def _rounded(value: Any) -> Any:
    # Seventeen digits of each number would be paid for and read by nobody.
    match value:
        case float():
            return float(f"{value:.6g}")
        case dict():
            return {name: _rounded(part) for name, part in value.items()}
        case list() | tuple():
            return [_rounded(part) for part in value]
        case _:
            return value


def _keep(score: float, read: Tone) -> float:
    agrees = read.tone == ("bullish" if score > 0 else "bearish")
    return 1.0 if agrees else 1.0 - read.confidence


def _written(
    event: Event, text: str, notes: Mapping[str, str], abstained: str | None, call: ModelCall
) -> Decision[Stateless]:
    kind: Any = event.type
    explanation = Explanation(
        explains=event.id,
        kind=kind,
        text="" if abstained else _line(text),
        notes={} if abstained else {agent: _line(note) for agent, note in notes.items()},
        abstained=abstained,
        calls=(call,),
    )
    return _emitted(ExplanationWritten.caused_by(event, source=NAME, data=explanation))


def _line(text: str) -> str:
    return " ".join(text.split())


def _emitted(event: Event) -> Decision[Stateless]:
    return Decision(emits=(Emit(event),))
