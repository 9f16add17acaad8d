"""What an agent remembers of situations like the one at hand, and what that does to its judgment.

Similar opinions that turned out wrong make it less sure; nothing makes it surer, and the stance and a veto stay as the
numbers give them.
"""

from collections.abc import Sequence
from dataclasses import replace

from shared.agents.opinion import Judgment
from shared.errors import FinAgentError
from shared.events.trade import Evidence, TradeRequested
from shared.memory.memory import Recollection
from shared.memory.port import OwnMemory
from shared.memory.situation import FACTOR, RECALLED, situation

SHOWN = 3
LEAST_SIMILARITY = 0.5
LEAST_FACTOR = 0.5
_PRIOR = 2.0


async def recollected(event: TradeRequested, judgment: Judgment, memory: OwnMemory | None) -> Judgment:
    """Give the judgment with what is remembered as evidence, and its confidence times `factor` of that.

    Without a memory, or where nothing similar was known before the trade, it is the same judgment. Where memory cannot
    be read the vote does not wait for it, and says so.
    """
    if memory is None:
        return judgment
    text = situation(event.data, judgment.stance, judgment.evidence)
    try:
        found = await memory.recall(event.owner, text, event.time, SHOWN)
    except FinAgentError as error:
        missing = Evidence(name="memory", value=f"not available: {error}"[:200])
        return replace(judgment, evidence=(*judgment.evidence, missing))
    similar = [each for each in found if each.similarity >= LEAST_SIMILARITY]
    # What was not graded says nothing yet, and whether it is projected already must not matter.
    graded = [each for each in similar if each.memory.outcome is not None]
    if not graded:
        return judgment
    shrunk = factor(graded)
    nearest = max(graded, key=lambda each: each.similarity).memory
    shown = Evidence(name=FACTOR, value=shrunk, unit="times the confidence", event=nearest.event)
    evidence = (*judgment.evidence, *(_evidence(each) for each in graded), shown)
    return replace(judgment, confidence=judgment.confidence * shrunk, evidence=evidence)


def factor(found: Sequence[Recollection]) -> float:
    """Give what the confidence is multiplied by, from `LEAST_FACTOR` to 1.

    Notes
    -----
    With w the similarities of what was graded by then, the chance of being right is ``p = (sum of w of the hits + 2) /
    (sum of w + 4)``: without any grade a coin's. The factor is ``2 p``, within its bounds.
    """
    known = [(each.similarity, each.memory.stance, each.memory.outcome) for each in found]
    # Who was indifferent was neither right nor wrong.
    graded = [(weight, outcome.hit) for weight, stance, outcome in known if stance and outcome is not None]
    hits = sum(weight for weight, hit in graded if hit)
    chance = (hits + _PRIOR) / (sum(weight for weight, _ in graded) + 2 * _PRIOR)
    return max(LEAST_FACTOR, min(1.0, 2 * chance))


def _evidence(found: Recollection) -> Evidence:
    memory, outcome = found.memory, found.memory.outcome
    if outcome is None:
        ending = "not graded yet"
    else:
        ending = f"{'right' if outcome.hit else 'wrong'}, {outcome.trade_return:+.1%} in {outcome.horizon_days} days"
    opinion = f"{memory.known_at:%Y-%m-%d} {memory.side} {memory.symbol}, stance {memory.stance:+.2f}"
    return Evidence(
        name=f"{RECALLED}{memory.id}",
        value=f"{opinion}: {ending} (similarity {found.similarity:.2f})",
        event=memory.event,
    )
