"""An agent's profile: what it is and listens to, its last conclusion, its votes, the weight that its record earns."""

import pytest

from shared.agents.registry import STATES, TRADE
from shared.agents.step import earned
from shared.bus.topology import topology
from shared.callers.caller import LOCAL, Caller, Role
from shared.events.envelope import Event
from shared.events.trade import AgentRecord, ConsensusReached, OpinionGraded, Outcomes
from shared.profile import MOST_DECISIONS, Profile, Reads, profile
from shared.projections.happening import Happenings
from shared.projections.in_memory import InMemoryProjectionStore
from shared.projections.projector import Projector
from shared.projections.record import Records
from shared.projections.view import Views
from shared.store.in_memory import InMemoryEventStore
from tests.builders import CLOSE, DAY, HOUR, altered
from tests.examples import FULL

ALICE = Caller("key:1", "alice", frozenset({Role.TRADER}))
BOB = Caller("key:2", "bob", frozenset({Role.TRADER}))
RECORD = AgentRecord(
    overall=Outcomes(count=40, hits=30, brier=0.24), regimes={"trend": Outcomes(count=20, hits=18, brier=0.23)}
)
[CONSENSUS] = [event for event in FULL if isinstance(event, ConsensusReached)]
[GRADE] = [event for event in FULL if isinstance(event, OpinionGraded)]


async def portrayed(
    *events: Event, agent: str = "oracle", caller: Caller = LOCAL, views_on: tuple[str, ...] = ()
) -> Profile:
    projections = InMemoryProjectionStore()
    projector = Projector(projections, InMemoryEventStore())
    for event in events:
        await projector.project(event)
    reads = Reads(Views(projections), Happenings(projections), Records(projections), topology())
    return await profile(agent, caller, views_on, CLOSE + 9 * DAY, reads)


def decision(number: int, abstained: str | None = None, owner: str | None = None) -> ConsensusReached:
    vote = {"agent": "oracle", "opinion": f"o-{number}", "stance": 0.1, "confidence": 0.5, "weight": 1}
    data = {**CONSENSUS.data.model_dump(), "votes": [{**vote, "abstained": abstained}], "missing": ["risk_manager"]}
    return altered(CONSENSUS, id=f"c-{number}", time=CLOSE + number * HOUR, owner=owner, data=data)


@pytest.mark.parametrize("agent", STATES)
async def test_profile_when_nothing_happened_says_what_the_agent_is_and_no_number(agent: str) -> None:
    found = await portrayed(agent=agent)
    assert found.about.endswith(".")
    assert ":" in found.about
    heard = {subject for each in found.subscriptions for subject in each.subjects}
    assert heard == set(found.reacts_to)
    assert found.votes_in == (["trade"] if agent in TRADE.judges else [])
    assert found.graded_in == (["trade"] if agent in TRADE.graded else [])
    assert (found.latest, found.standings) == (None, [])
    assert (found.votes.counted, found.votes.abstain_rate) == (0, None)


async def test_votes_when_an_agent_abstains_are_counted_with_their_rate() -> None:
    events = [decision(1), decision(2, "no data"), decision(3), decision(4, "no data"), decision(5)]
    found = (await portrayed(*events)).votes
    assert (found.counted, found.abstained, found.missed, found.abstain_rate) == (5, 2, 0, 0.4)
    assert (await portrayed(*events, agent="risk_manager")).votes.missed == 5
    many = await portrayed(*(decision(n, "no data" if n < 50 else None) for n in range(MOST_DECISIONS + 50)))
    assert (many.votes.counted, many.votes.abstained) == (MOST_DECISIONS, 0)


async def test_votes_when_two_owners_have_many_are_the_latest_of_both() -> None:
    oscar = Caller("key:3", "oscar", frozenset({Role.OPERATOR}))
    old = [decision(number, owner="oscar") for number in range(MOST_DECISIONS)]
    new = [decision(number, "no data") for number in range(MOST_DECISIONS, 3 * MOST_DECISIONS // 2)]
    votes = (await portrayed(*old, *new, caller=oscar)).votes
    assert (votes.counted, votes.abstained) == (MOST_DECISIONS, len(new))


async def test_standings_when_votes_were_graded_give_the_weight_that_the_consensus_gives() -> None:
    data = {**GRADE.data.model_dump(), "agent": "oracle", "record": RECORD.model_dump()}
    [overall, trend] = (await portrayed(altered(GRADE, data=data))).standings
    assert (overall.regime, overall.outcomes, overall.hit_rate) == (None, RECORD.overall, 0.75)
    assert (trend.regime, trend.outcomes, trend.hit_rate) == ("trend", RECORD.regimes["trend"], 0.9)
    assert (overall.weight, trend.weight) == (earned(RECORD, ""), earned(RECORD, "trend"))
    assert 1 < overall.weight < trend.weight
    early = await portrayed(altered(GRADE, data=data, time=CLOSE + 10 * DAY))
    assert early.standings == []


async def test_latest_when_an_agent_concluded_several_things_is_the_last_of_them() -> None:
    [analysis] = [event for event in FULL if event.type == "analysis.completed"]
    view = await portrayed(analysis, agent="market_analyst", views_on=("AAPL", "IBM"))
    assert view.latest is not None
    assert (view.latest.event, view.latest.handled) == (analysis.id, analysis.causationid)
    vote = (await portrayed(decision(1), decision(3), decision(2))).latest
    assert vote is not None
    assert (vote.event, vote.type, vote.handled) == ("o-3", "opinion.formed", CONSENSUS.data.trigger)
    counted = (await portrayed(decision(1), decision(3), agent="consensus")).latest
    assert counted is not None
    assert counted.event == "c-3"
    for kind in ("options.suggested", "research.completed"):
        [event] = [event for event in FULL if event.type == kind]
        said = (await portrayed(event, agent=event.source)).latest
        assert said is not None
        assert said.event == event.id


async def test_profile_when_decisions_are_another_s_leaves_them_out() -> None:
    [risk] = [altered(event, owner="alice") for event in FULL if event.type == "risk.assessed"]
    [answer] = [altered(event, owner="alice") for event in FULL if event.type == "research.completed"]
    events = [decision(1, owner="alice"), risk, answer]
    desks = altered(risk, owner=None)
    assert (await portrayed(desks, agent="risk_manager", caller=BOB, views_on=("main",))).latest is None
    assert (await portrayed(desks, agent="risk_manager", views_on=("main",))).latest is not None
    for agent, expected in (("oracle", "o-1"), ("risk_manager", risk.id), ("research_agent", answer.id)):
        own, other = [
            (await portrayed(*events, agent=agent, caller=caller, views_on=("main",))) for caller in (ALICE, BOB)
        ]
        assert own.latest is not None
        assert own.latest.event == expected
        assert (other.latest, other.votes.counted) == (None, 0)
