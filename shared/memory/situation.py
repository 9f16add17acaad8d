"""A situation in words: by what memories are found, and what a memory is made of.

The words are our own: names of evidence, and numbers to one digit. Texts of others (headlines, names of portfolios) and
what was recalled are left out, so nothing that somebody wrote can reach a memory, and no memory feeds the next.
"""

from collections.abc import Sequence

from shared.events.envelope import derive_id
from shared.events.trade import Evidence, Opinion, OpinionFormed, OpinionGraded, Trade, TradeRequested
from shared.memory.memory import Memory, Outcome

RECALLED = "memory "
"""How the name of evidence begins that was recalled; the id of the memory follows."""
FACTOR = "memory_factor"
_REGIME = "regime"
_PRICES = frozenset({"USD"})


def situation(trade: Trade, stance: float, evidence: Sequence[Evidence]) -> str:
    """Give the words for what an agent judges and what it sees."""
    words = [trade.side, trade.symbol, "for" if stance > 0 else "against" if stance < 0 else "indifferent"]
    return " ".join([*words, *(word for each in evidence if (word := _word(each)))])


def remembered(opinion: OpinionFormed, trade: TradeRequested, grade: OpinionGraded | None = None) -> Memory | None:
    """Give the memory that an opinion makes, or None of an abstention."""
    vote = opinion.data
    if vote.abstained is not None or opinion.run:
        return None
    text = situation(trade.data, vote.stance, vote.evidence)
    return Memory(
        id=derive_id("memory", vote.agent, opinion.owner or "", opinion.id, text),
        agent=vote.agent,
        owner=opinion.owner,
        event=opinion.id,
        symbol=trade.data.symbol,
        side=trade.data.side,
        stance=vote.stance,
        confidence=vote.confidence,
        text=text,
        known_at=opinion.time,
        sources=_sources(opinion, trade, vote),
        recalled=tuple(each.name.removeprefix(RECALLED) for each in vote.evidence if each.name.startswith(RECALLED)),
        outcome=None if grade is None else _outcome(grade),
    )


def _word(evidence: Evidence) -> str:
    if evidence.name.startswith(RECALLED) or evidence.name == FACTOR or evidence.unit in _PRICES:
        return ""
    if isinstance(evidence.value, str):
        return f"{_REGIME}={evidence.value}" if evidence.name == _REGIME else evidence.name
    # One digit: what differs less is the same situation.
    return f"{evidence.name}={evidence.value:+.0e}"


def _sources(opinion: OpinionFormed, trade: TradeRequested, vote: Opinion) -> tuple[str, ...]:
    cited = (each.event for each in vote.evidence if each.event and not each.name.startswith(RECALLED))
    return tuple(dict.fromkeys((opinion.id, trade.id, *cited)))


def _outcome(grade: OpinionGraded) -> Outcome:
    data = grade.data
    return Outcome(at=grade.time, hit=data.hit, trade_return=data.trade_return, horizon_days=data.horizon_days)
