"""Consensus: weighs the votes of a step into one decision, by arithmetic alone.

The score is the mean stance, each weighted by the agent's weight times its confidence. A veto of an agent that may
veto rejects whatever the score. Too few votes decide nothing.
"""

import math
from typing import Literal

from shared.agents.step import Ballot, Closing
from shared.events.trade import Consensus, Vote


def weigh(closing: Closing) -> Consensus:
    """Turn the ballots of a round into its consensus.

    Notes
    -----
    With votes of stance s and mass m = weight x confidence, score = sum(m s) / sum(m), and dispersion is the weighted
    standard deviation of s. Both are 0 when nobody voted or nobody was confident.
    """
    votes = tuple(_vote(closing, ballot) for ballot in closing.ballots)
    counted = tuple(vote for vote in votes if vote.abstained is None)
    score, dispersion = _moments(counted)
    vetoes = tuple(vote.veto for vote in votes if vote.veto is not None and vote.agent in closing.step.vetoes)
    decision = _decide(closing, counted, score, vetoes)
    return Consensus(
        step=closing.step.name,
        trigger=closing.trigger,
        decision=decision,
        score=score,
        dispersion=dispersion,
        closed_by=closing.closed_by,
        votes=votes,
        vetoes=vetoes,
        dissent=tuple(vote.agent for vote in counted if _opposes(vote, decision)),
        missing=tuple(sorted(set(closing.step.judges) - {vote.agent for vote in votes})),
        explanation=_explain(closing, decision, score, counted, vetoes),
        decided_at=closing.at,
    )


def _vote(closing: Closing, ballot: Ballot) -> Vote:
    opinion = ballot.opinion
    return Vote(
        agent=opinion.agent,
        opinion=ballot.id,
        stance=opinion.stance,
        confidence=opinion.confidence,
        weight=closing.weights.get(opinion.agent, 1.0),
        veto=opinion.veto,
        abstained=opinion.abstained,
    )


def _moments(votes: tuple[Vote, ...]) -> tuple[float, float]:
    mass = math.fsum(vote.weight * vote.confidence for vote in votes)
    if mass == 0:
        return 0.0, 0.0
    mean = math.fsum(vote.weight * vote.confidence * vote.stance for vote in votes) / mass
    spread = math.fsum(vote.weight * vote.confidence * (vote.stance - mean) ** 2 for vote in votes) / mass
    return max(-1.0, min(1.0, mean)), min(1.0, math.sqrt(spread))


def _decide(
    closing: Closing, counted: tuple[Vote, ...], score: float, vetoes: tuple[str, ...]
) -> Literal["approved", "rejected", "no_quorum"]:
    if vetoes:
        return "rejected"
    if len(counted) < closing.step.quorum:
        return "no_quorum"
    return "approved" if score > closing.step.threshold else "rejected"


def _opposes(vote: Vote, decision: str) -> bool:
    return (decision == "approved" and vote.stance < 0) or (decision == "rejected" and vote.stance > 0)


def _explain(closing: Closing, decision: str, score: float, counted: tuple[Vote, ...], vetoes: tuple[str, ...]) -> str:
    if vetoes:
        return f"Rejected by veto: {'; '.join(vetoes)}."
    if decision == "no_quorum":
        return f"Undecided: {len(counted)} of the {closing.step.quorum} votes needed."
    leader = max(counted, key=lambda vote: abs(vote.weight * vote.confidence * vote.stance))
    side = "for" if leader.stance > 0 else "against"
    return (
        f"{decision.capitalize()} with a score of {score:+.2f} (needs more than {closing.step.threshold:+.2f});"
        f" {len(counted)} voted, {leader.agent} counted most, {side} it at {leader.stance:+.2f}:"
        f" {_reason(closing, leader)}"
    )


def _reason(closing: Closing, vote: Vote) -> str:
    return next(ballot.opinion.rationale for ballot in closing.ballots if ballot.id == vote.opinion)
