"""A step: votes in any order, late, repeated or missing make exactly one consensus, the same each time."""

from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.agents.consensus import weigh
from shared.agents.decision import Decision
from shared.agents.opinion import Judgment
from shared.agents.step import CONSENSUS, Rounds, Step, StepDeps
from shared.errors import MissingError, TransientError
from shared.events.emit import Emit
from shared.events.envelope import Event, derive_id
from shared.events.trade import (
    Consensus,
    ConsensusReached,
    Evidence,
    OpinionFormed,
    TradeDeadlineReached,
    TradeRequested,
)
from tests.builders import SECOND, a_deadline, a_trade_request, an_opinion

AGENTS = ("analyst", "risk", "tracker")
REQUEST = a_trade_request(id="trade-1")
DEADLINE = a_deadline(REQUEST)
DEPS = StepDeps(pace=1.0, patience_seconds=30)
VOTES = tuple(
    an_opinion(REQUEST, agent=agent, stance=stance, confidence=confidence, time=REQUEST.time + second * SECOND)
    for agent, stance, confidence, second in (
        ("analyst", 0.9, 0.3, 5),
        ("risk", -0.2, 0.7, 9),
        ("tracker", 0.1, 0.1, 2),
    )
)


async def judge(event: TradeRequested, deps: object) -> Judgment:
    """Do what the dependencies say: raise it, or vote."""
    if isinstance(deps, Exception):
        raise deps
    return Judgment(0.5, 0.25, f"About {event.data.symbol}.", (Evidence(name="close", value=100.0),), veto="no")


STEP = Step(
    name="trade",
    trigger=TradeRequested,
    deadline=TradeDeadlineReached,
    judges=dict.fromkeys(AGENTS, judge),
    aggregate=weigh,
    quorum=2,
    vetoes=("risk",),
)


async def taken(events: Iterable[Event], deps: StepDeps = DEPS) -> tuple[list[Emit], Rounds]:
    """Give what a step emits on events, with its state written and read in between as the runtime does."""
    state, emits = Rounds(), list[Emit]()
    for event in events:
        decision = await _decided(event, state, deps)
        emits.extend(decision.emits)
        if decision.state is not None:
            state = Rounds.model_validate_json(decision.state.model_dump_json())
    return emits, state


async def _decided(event: Event, state: Rounds, deps: StepDeps) -> Decision[Rounds]:
    if isinstance(event, OpinionFormed):
        return await STEP.on_opinion(event, state, deps)
    if isinstance(event, TradeDeadlineReached):
        return await STEP.on_deadline(event, state, deps)
    return await STEP.on_trigger(event, state, deps)


async def reached(events: Iterable[Event]) -> list[ConsensusReached]:
    emits, _ = await taken(events)
    return [emit.event for emit in emits if isinstance(emit.event, ConsensusReached)]


async def concluded(events: Iterable[Event]) -> Consensus:
    (event,) = await reached(events)
    return event.data


def agents_of(consensus: Consensus) -> list[str]:
    return [vote.agent for vote in consensus.votes]


async def test_trigger_when_it_comes_schedules_the_deadline_at_the_desks_pace() -> None:
    emits, state = await taken([REQUEST], StepDeps(pace=100.0, patience_seconds=30))
    (emit,) = emits
    assert isinstance(emit.event, TradeDeadlineReached)
    assert emit.deliver_at == emit.event.time == REQUEST.time + 3_000 * SECOND
    assert (emit.event.data.step, emit.event.data.trigger) == ("trade", REQUEST.id)
    assert (emit.event.stream, emit.event.correlationid) == (REQUEST.stream, REQUEST.id)
    assert not state.rounds[REQUEST.id].closed


@pytest.mark.parametrize(
    "events",
    [[REQUEST], [REQUEST, *VOTES], [*VOTES, REQUEST], [VOTES[0], REQUEST, VOTES[1]], [REQUEST, DEADLINE, VOTES[0]]],
    ids=["open", "closed", "closed before it was opened", "between votes", "late vote"],
)
async def test_round_when_its_trigger_came_remembers_its_deadline(events: list[Event]) -> None:
    _, state = await taken(events)
    assert state.rounds[REQUEST.id].deadline == DEADLINE.time


async def test_trigger_when_it_comes_again_at_another_pace_keeps_the_deadline() -> None:
    _, state = await taken([REQUEST])
    again = await STEP.on_trigger(REQUEST, state, StepDeps(pace=100.0, patience_seconds=30))
    assert [emit.deliver_at for emit in again.emits] == [DEADLINE.time]
    assert again.state == state


async def test_round_when_all_have_voted_closes_at_once_without_the_deadline() -> None:
    consensus = await concluded([REQUEST, *VOTES])
    assert (consensus.closed_by, consensus.missing) == ("quorum", ())
    assert agents_of(consensus) == list(AGENTS)
    assert consensus.decided_at == max(vote.time for vote in VOTES)


async def test_round_when_a_quorum_but_not_everybody_has_voted_stays_open() -> None:
    assert await reached([REQUEST, *VOTES[:2]]) == []


async def test_round_when_its_time_is_up_closes_with_the_votes_that_are_in() -> None:
    consensus = await concluded([REQUEST, VOTES[2], VOTES[0], DEADLINE])
    assert (consensus.closed_by, consensus.missing) == ("deadline", ("risk",))
    assert agents_of(consensus) == ["analyst", "tracker"]
    assert consensus.decided_at == DEADLINE.time


async def test_round_when_its_time_is_up_without_a_vote_decides_nothing() -> None:
    consensus = await concluded([REQUEST, DEADLINE])
    assert (consensus.decision, consensus.votes, consensus.missing) == ("no_quorum", (), AGENTS)


async def test_round_when_all_abstain_closes_at_once_and_decides_nothing() -> None:
    silent = [an_opinion(REQUEST, agent=agent, abstained="no idea") for agent in AGENTS]
    consensus = await concluded([REQUEST, *silent])
    assert (consensus.decision, consensus.closed_by) == ("no_quorum", "quorum")


async def test_vote_when_it_is_late_is_kept_and_changes_nothing() -> None:
    on_time = [REQUEST, *VOTES[:2], DEADLINE]
    emits, state = await taken([*on_time, VOTES[2]])
    assert emits == (await taken(on_time))[0]
    assert state.rounds[REQUEST.id].late == (VOTES[2].id,)
    assert sorted(state.rounds[REQUEST.id].ballots) == ["analyst", "risk"]


async def test_deadline_when_the_round_is_closed_changes_nothing() -> None:
    closed = [REQUEST, *VOTES]
    assert await taken([*closed, DEADLINE]) == await taken(closed)


async def test_votes_when_they_come_before_the_trigger_count() -> None:
    emits, state = await taken([VOTES[1], VOTES[0], REQUEST])
    assert [type(emit.event) for emit in emits] == [TradeDeadlineReached]
    assert sorted(state.rounds[REQUEST.id].ballots) == ["analyst", "risk"]
    assert agents_of(await concluded([VOTES[1], VOTES[0], REQUEST, VOTES[2]])) == list(AGENTS)


async def test_trigger_when_all_have_voted_before_it_schedules_the_deadline_as_ever() -> None:
    emits, _ = await taken([*VOTES, REQUEST])
    assert [type(emit.event) for emit in emits] == [ConsensusReached, TradeDeadlineReached]


@pytest.mark.parametrize("end", [DEADLINE, VOTES[2]], ids=["deadline", "last vote"])
async def test_agent_when_it_votes_twice_counts_once_with_its_first_vote(end: Event) -> None:
    other = an_opinion(REQUEST, agent="analyst", stance=-1.0, confidence=1.0, rationale="On second thoughts.")
    events = [REQUEST, VOTES[0], VOTES[1]]
    once = await concluded([*events, end])
    assert once.votes[0].stance == VOTES[0].data.stance
    for again in ([other], [other, VOTES[0]], [VOTES[0]]):
        assert await concluded([*events, *again, end]) == once


async def test_agent_when_it_is_not_in_the_step_has_no_vote() -> None:
    stranger = an_opinion(REQUEST, agent="oracle", stance=1.0, veto="never")
    assert await taken([REQUEST, stranger]) == await taken([REQUEST])
    assert await taken([REQUEST, *VOTES, stranger]) == await taken([REQUEST, *VOTES])


async def test_rounds_when_two_are_open_in_one_stream_do_not_mix() -> None:
    other = a_trade_request("IBM", id="trade-2", stream=REQUEST.stream)
    theirs = [an_opinion(other, agent=agent, stance=-1.0) for agent in AGENTS]
    events = [event for pair in zip(VOTES, theirs, strict=True) for event in pair]
    first, second = await reached([REQUEST, other, *events])
    assert (first.data.trigger, second.data.trigger) == (REQUEST.id, "trade-2")
    assert first.data == await concluded([REQUEST, *VOTES])
    assert first.id != second.id


async def test_consensus_when_reached_is_named_after_its_trade_and_follows_from_it() -> None:
    (event,) = await reached([REQUEST, *VOTES])
    assert event.id == derive_id(REQUEST.id, CONSENSUS)
    assert (event.causationid, event.correlationid, event.stream) == (REQUEST.id, REQUEST.id, REQUEST.stream)
    assert (event.source, event.time) == ("consensus", event.data.decided_at)


@given(st.permutations([REQUEST, *VOTES]))
async def test_consensus_when_votes_come_in_any_order_is_the_same_to_the_byte(events: list[Event]) -> None:
    (event,) = await reached(events)
    (expected,) = await reached([REQUEST, *VOTES])
    assert event.json_bytes == expected.json_bytes


@given(st.lists(st.sampled_from([REQUEST, *VOTES, DEADLINE]), max_size=12))
async def test_consensus_when_anything_is_repeated_in_any_order_is_exactly_one(events: list[Event]) -> None:
    found = await reached([*events, REQUEST, *VOTES, DEADLINE])
    assert [event.id for event in found] == [derive_id(REQUEST.id, CONSENSUS)]


async def test_voter_when_it_has_a_judgment_gives_it_as_an_opinion() -> None:
    decision = await STEP.voter("risk")(REQUEST, Rounds(), None)
    (emit,) = decision.emits
    opinion = emit.event.data
    assert decision.state is None
    assert emit.event.id == derive_id(REQUEST.id, "risk", "opinion.formed", "0")
    assert (opinion.step, opinion.trigger, opinion.agent) == ("trade", REQUEST.id, "risk")
    assert (opinion.stance, opinion.confidence, opinion.veto, opinion.abstained) == (0.5, 0.25, "no", None)
    assert (opinion.rationale, opinion.evidence) == ("About AAPL.", (Evidence(name="close", value=100.0),))


@pytest.mark.parametrize("length", [20, 5_000])
async def test_voter_when_something_is_missing_abstains_with_the_reason(length: int) -> None:
    reason = "no history ".ljust(length, "!")
    (emit,) = (await STEP.voter("risk")(REQUEST, Rounds(), MissingError(reason))).emits
    opinion = emit.event.data
    assert opinion.abstained == reason
    assert (opinion.stance, opinion.confidence, opinion.veto) == (0, 0, None)
    assert reason.startswith(opinion.rationale)


async def test_voter_when_something_is_busy_does_not_abstain() -> None:
    with pytest.raises(TransientError):
        await STEP.voter("risk")(REQUEST, Rounds(), TransientError("429"))
