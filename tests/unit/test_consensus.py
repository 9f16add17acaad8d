"""The consensus is arithmetic: score and dispersion against numpy, quorum, threshold, vetoes and dissent."""

from collections.abc import Mapping
from typing import Literal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.agents.consensus import weigh
from shared.agents.opinion import Judgment
from shared.agents.step import Ballot, Closing, Step
from shared.events.trade import Consensus, TradeDeadlineReached, TradeRequested
from tests.builders import CLOSE, a_trade_request, an_opinion

REQUEST = a_trade_request(id="trade-1")
AGENTS = ("analyst", "risk", "tracker")

type Vote = tuple[float, float]
"""Stance and confidence."""


async def never(_event: object, _deps: object) -> Judgment:
    raise AssertionError("the consensus asks nobody")


def a_step(
    *,
    judges: tuple[str, ...] = AGENTS,
    quorum: int = 2,
    threshold: float = 0.0,
    vetoes: tuple[str, ...] = ("risk",),
) -> Step:
    return Step(
        name="trade",
        trigger=TradeRequested,
        deadline=TradeDeadlineReached,
        judges=dict.fromkeys(judges, never),
        aggregate=weigh,
        quorum=quorum,
        threshold=threshold,
        vetoes=vetoes,
    )


def a_ballot(agent: str, stance: float = 0.0, confidence: float = 1.0, **said: str) -> Ballot:
    event = an_opinion(REQUEST, agent=agent, stance=stance, confidence=confidence, **said)  # type: ignore[arg-type]
    return Ballot(id=event.id, time=event.time, opinion=event.data)


def concluded(
    *ballots: Ballot,
    step: Step | None = None,
    closed_by: Literal["quorum", "deadline"] = "deadline",
    weights: Mapping[str, float] | None = None,
) -> Consensus:
    return weigh(Closing(step or a_step(), REQUEST.id, ballots, closed_by, CLOSE, weights or {}))


def of_votes(votes: Mapping[str, Vote], weights: Mapping[str, float] | None = None, **declared: object) -> Consensus:
    step = a_step(**declared)  # type: ignore[arg-type]
    ballots = (a_ballot(agent, *vote) for agent, vote in sorted(votes.items()))
    return concluded(*ballots, step=step, weights=weights)


STANCES, SHARES = st.floats(-1, 1), st.floats(0.01, 1)


@given(st.lists(st.tuples(STANCES, SHARES, st.floats(0.01, 10)), min_size=1, max_size=8))
def test_score_and_dispersion_when_agents_vote_are_numpys(votes: list[tuple[float, float, float]]) -> None:
    weights = {f"agent-{number}": weight for number, (_, _, weight) in enumerate(votes)}
    cast = {f"agent-{number}": (stance, confidence) for number, (stance, confidence, _) in enumerate(votes)}
    consensus = of_votes(cast, judges=tuple(cast), weights=weights)
    stances, confidences, factors = np.array(votes).T
    mean = np.average(stances, weights=factors * confidences)
    spread = np.sqrt(np.average((stances - mean) ** 2, weights=factors * confidences))
    assert consensus.score == pytest.approx(mean, abs=1e-12)
    assert consensus.dispersion == pytest.approx(spread, abs=1e-8)


@given(st.dictionaries(st.sampled_from(AGENTS), st.tuples(STANCES, st.just(0.0) | st.floats(1e-6, 1)), min_size=1))
def test_score_when_weights_are_extreme_lies_between_the_stances(votes: dict[str, Vote]) -> None:
    consensus = of_votes(votes, weights={"risk": 1e-300, "tracker": 1e300})
    stances = [stance for stance, confidence in votes.values() if confidence] or [0.0]
    assert min(stances) - 1e-12 <= consensus.score <= max(stances) + 1e-12
    assert 0 <= consensus.dispersion <= 1


def test_votes_when_one_is_twice_as_confident_or_weighty_count_twice() -> None:
    assert of_votes({"analyst": (0.9, 0.4), "tracker": (-0.3, 0.8)}).score == pytest.approx(0.1)
    assert of_votes({"analyst": (0.9, 0.4), "tracker": (-0.3, 0.4)}, weights={"tracker": 2.0}).score == pytest.approx(
        0.1
    )


def test_agents_when_they_agree_have_no_dispersion() -> None:
    assert of_votes({"analyst": (0.4, 0.2), "tracker": (0.4, 0.9)}).dispersion == 0


@pytest.mark.parametrize(
    ("stance", "threshold", "decision"),
    [
        (0.5, 0.0, "approved"),
        (0.0, 0.0, "rejected"),
        (-0.5, 0.0, "rejected"),
        (0.5, 0.5, "rejected"),
        (0.75, 0.5, "approved"),
        (-0.25, -0.5, "approved"),
    ],
)
def test_decision_when_the_score_passes_the_threshold_is_approval(
    stance: float, threshold: float, decision: str
) -> None:
    consensus = of_votes({"analyst": (stance, 1.0), "tracker": (stance, 1.0)}, threshold=threshold)
    assert consensus.decision == decision
    assert f"{decision.capitalize()} with a score of {stance:+.2f}" in consensus.explanation


def test_votes_when_nobody_is_confident_score_nothing() -> None:
    consensus = of_votes({"analyst": (1.0, 0.0), "tracker": (1.0, 0.0)})
    assert (consensus.decision, consensus.score, consensus.dispersion) == ("rejected", 0, 0)


def test_votes_when_too_few_decide_nothing() -> None:
    consensus = of_votes({"analyst": (1.0, 1.0)})
    assert (consensus.decision, consensus.score, consensus.missing) == ("no_quorum", 1, ("risk", "tracker"))
    assert "1 of the 2 votes needed" in consensus.explanation


def test_votes_when_there_are_none_decide_nothing() -> None:
    consensus = concluded()
    assert (consensus.decision, consensus.score, consensus.votes, consensus.missing) == ("no_quorum", 0, (), AGENTS)


def test_abstentions_when_cast_are_shown_and_count_for_nothing() -> None:
    silent = a_ballot("risk", abstained="no portfolio was named")
    consensus = concluded(a_ballot("analyst", 0.6), silent)
    assert consensus.decision == "no_quorum"
    assert (consensus.score, consensus.missing) == (0.6, ("tracker",))
    assert [vote.abstained for vote in consensus.votes] == [None, "no portfolio was named"]
    assert concluded(a_ballot("analyst", 0.6), silent, a_ballot("tracker", 0.2)).decision == "approved"


def test_veto_when_from_who_may_rejects_whatever_the_others_say() -> None:
    consensus = concluded(a_ballot("analyst", 1.0), a_ballot("risk", -1.0, veto="too heavy"), a_ballot("tracker", 1.0))
    assert (consensus.decision, consensus.vetoes) == ("rejected", ("too heavy",))
    assert consensus.score > 0
    assert "too heavy" in consensus.explanation
    assert consensus.dissent == ("analyst", "tracker")


def test_veto_when_below_the_quorum_still_rejects() -> None:
    assert concluded(a_ballot("risk", -1.0, veto="too heavy")).decision == "rejected"


def test_veto_when_from_who_may_not_is_shown_and_does_not_count() -> None:
    consensus = concluded(a_ballot("analyst", 1.0, veto="I say so"), a_ballot("tracker", 1.0))
    assert (consensus.decision, consensus.vetoes) == ("approved", ())
    assert consensus.votes[0].veto == "I say so"


@pytest.mark.parametrize(
    ("stances", "decision", "dissent"),
    [
        ((0.9, -0.1, 0.0), "approved", ("risk",)),
        ((-0.9, 0.1, 0.0), "rejected", ("risk",)),
        ((0.9, 0.1, 0.2), "approved", ()),
    ],
)
def test_dissent_when_a_stance_points_against_the_decision_names_the_agent(
    stances: tuple[float, float, float], decision: str, dissent: tuple[str, ...]
) -> None:
    consensus = of_votes({agent: (stance, 1.0) for agent, stance in zip(AGENTS, stances, strict=True)})
    assert (consensus.decision, consensus.dissent) == (decision, dissent)


def test_dissent_when_nothing_is_decided_is_nobodys() -> None:
    assert of_votes({"analyst": (-1.0, 1.0)}).dissent == ()


def test_explanation_when_decided_names_who_counted_most() -> None:
    consensus = of_votes({"analyst": (0.2, 1.0), "risk": (-0.9, 0.5), "tracker": (0.5, 0.3)})
    assert "risk counted most, against it at -0.90" in consensus.explanation
    assert "3 voted" in consensus.explanation


def test_consensus_when_reached_says_what_it_rests_on() -> None:
    ballot = a_ballot("tracker", 0.5, 0.8)
    consensus = concluded(ballot, weights={"tracker": 3.0}, closed_by="quorum")
    (vote,) = consensus.votes
    assert (vote.agent, vote.opinion, vote.stance, vote.confidence, vote.weight) == ("tracker", ballot.id, 0.5, 0.8, 3)
    assert (consensus.step, consensus.trigger, consensus.closed_by) == ("trade", REQUEST.id, "quorum")
    assert consensus.decided_at == CLOSE
