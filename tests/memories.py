"""Memories to test with."""

from datetime import datetime, timedelta

from shared.events.envelope import derive_id
from shared.events.trade import AgentRecord, Evidence, Grade, OpinionFormed, OpinionGraded, Outcomes
from shared.memory.hashing import HashingEmbedder
from shared.memory.memory import Memory, Outcome
from shared.memory.port import Entry
from tests.builders import CLOSE, DAY, altered

EMBEDDER = HashingEmbedder()


def a_memory(
    text: str = "buy IBM for trend=up",
    *,
    id: str | None = None,
    agent: str = "oracle",
    owner: str | None = None,
    known_at: datetime = CLOSE,
    sources: tuple[str, ...] = (),
    recalled: tuple[str, ...] = (),
    outcome: Outcome | None = None,
    stance: float = 0.5,
) -> Memory:
    """Give a memory; its id is of its text and owner, unless given."""
    name = id or derive_id("memory", text, owner or "")
    return Memory(
        id=name,
        agent=agent,
        owner=owner,
        event=f"opinion-{name}",
        symbol="IBM",
        side="buy",
        stance=stance,
        confidence=0.5,
        text=text,
        known_at=known_at,
        sources=(f"opinion-{name}", *sources),
        recalled=recalled,
        outcome=outcome,
    )


def an_outcome(*, hit: bool = True, at: datetime = CLOSE + 8 * DAY) -> Outcome:
    """Give how an opinion turned out."""
    return Outcome(at=at, hit=hit, trade_return=0.02 if hit else -0.02, horizon_days=7)


def an_entry(memory: Memory | None = None, *, space: str = EMBEDDER.space) -> Entry:
    """Give a memory with its vector."""
    kept = memory or a_memory()
    return Entry(kept, space, EMBEDDER.embed([kept.text])[0])


def a_grade(opinion: OpinionFormed, *, hit: bool = True, after: timedelta = 8 * DAY) -> OpinionGraded:
    """Give the event that says how an opinion turned out."""
    vote = opinion.data
    data = Grade(
        opinion=opinion.id,
        agent=vote.agent,
        symbol="IBM",
        side="buy",
        stance=vote.stance,
        confidence=vote.confidence,
        horizon_days=7,
        trade_return=0.02 if hit else -0.02,
        hit=hit,
        brier=0.2,
        record=AgentRecord(overall=Outcomes(count=1, hits=int(hit), brier=0.2)),
    )
    return OpinionGraded.caused_by(opinion, source="grading", data=data, time=opinion.time + after)


def with_evidence(opinion: OpinionFormed, *evidence: Evidence) -> OpinionFormed:
    """Give an opinion that rests on something."""
    return altered(opinion, data=opinion.data.model_copy(update={"evidence": evidence}))
