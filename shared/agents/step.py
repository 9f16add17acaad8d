"""A step: several agents are asked, their votes are folded, and one consensus comes back.

A step is declared, not coded (see `registry.py`): fan-out, deadline, fold and late votes follow from the declaration.
A round closes when every agent has answered, or at its deadline with the votes that are in. It does not close early on
a mere quorum: whose vote counts would then depend on who is fastest, and a replay would differ.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from shared.agents.decision import Decision
from shared.agents.opinion import Judgment
from shared.errors import MissingError
from shared.events.emit import Emit
from shared.events.envelope import Event, derive_id
from shared.events.trade import AgentRecord, Consensus, ConsensusReached, Deadline, Opinion, OpinionFormed
from shared.projections.record import Records
from shared.quant import calibration

type Judge = Callable[[Any, Any], Awaitable[Judgment]]

CONSENSUS = "consensus"
REGIME = "regime"
"""Name of the evidence by which a voter says in which regime the market is."""
_RATIONALE_CHARS = 2_000


class Ballot(BaseModel):
    """An opinion that came in for a round."""

    model_config = ConfigDict(frozen=True)

    id: str
    time: datetime
    opinion: Opinion


class Round(BaseModel):
    """One question to the agents: who has answered, and whether it is closed.

    Attributes
    ----------
    deadline : datetime or None
        The desk time at which it closes at the latest, as set when its trigger came: the pace may be another since.
        None before that.
    """

    model_config = ConfigDict(frozen=True)

    deadline: datetime | None = None
    ballots: dict[str, Ballot] = {}
    late: tuple[str, ...] = ()
    closed: bool = False


class Rounds(BaseModel):
    """The consensus's state in a stream: its rounds by the id of the event that each began with."""

    model_config = ConfigDict(frozen=True)

    rounds: dict[str, Round] = {}

    def with_round(self, trigger: str, changed: Round) -> "Rounds":
        """Give the state with one round replaced."""
        return Rounds(rounds={**self.rounds, trigger: changed})


@dataclass(frozen=True, slots=True)
class Closing:
    """What an aggregate is given: the declaration, the ballots in the order of their agents' names, and why now.

    Attributes
    ----------
    weights : mapping of str to float
        What each agent's record has earned it; 1 where none is given.
    """

    step: "Step"
    trigger: str
    ballots: tuple[Ballot, ...]
    closed_by: Literal["quorum", "deadline"]
    at: datetime
    weights: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Closed:
    trigger: str
    at: datetime
    by: Literal["quorum", "deadline"]
    weights: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class StepDeps:
    """What the consensus needs: the desk's pace, and how long it waits.

    Attributes
    ----------
    pace : float
        Desk seconds per wall second.
    patience_seconds : float
        Wall seconds from a trigger to its deadline.
    records : Records or None
        How each agent's opinions turned out; without it all weigh the same.
    """

    pace: float
    patience_seconds: float
    records: Records | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """The declaration of a step.

    Attributes
    ----------
    trigger, deadline : type of Event
        What it begins with, and what ends its patience.
    judges : mapping of str to Judge
        Who is asked, and the function that answers.
    aggregate : callable
        Turns ballots into a consensus.
    quorum : int
        Votes, abstentions apart, without which nothing is decided.
    threshold : float
        Mean stance above which it is approved.
    vetoes : tuple of str
        Agents whose veto counts.
    graded : tuple of str
        Agents whose stance says that what is proposed will gain: the market grades it, and their weight follows.
    """

    name: str
    trigger: type[Event]
    deadline: type[Event]
    judges: Mapping[str, Judge]
    aggregate: Callable[[Closing], Consensus]
    quorum: int
    threshold: float = 0.0
    vetoes: tuple[str, ...] = ()
    graded: tuple[str, ...] = ()

    def deadline_of(self, trigger: Event, deps: StepDeps) -> datetime:
        """Give the desk time at which a round that began with `trigger` closes."""
        return trigger.time + timedelta(seconds=deps.patience_seconds * deps.pace)

    def deadline_event(self, trigger: Event, due: datetime) -> Event:
        """Give the event that ends the patience of the round that began with `trigger`."""
        data = Deadline(step=self.name, trigger=trigger.id)
        return self.deadline.caused_by(trigger, source=CONSENSUS, data=data, time=due)

    def with_voters(self, replaced: Mapping[str, str]) -> "Step":
        """Give the step in which others vote in the place of some agents, with their rights."""
        names = {agent: replaced.get(agent, agent) for agent in self.judges}
        return replace(
            self,
            judges={names[agent]: judge for agent, judge in self.judges.items()},
            vetoes=tuple(names[agent] for agent in self.vetoes),
            graded=tuple(names[agent] for agent in self.graded),
        )

    def voter(self, agent: str, judge: Judge | None = None) -> Callable[[Event, Any, Any], Awaitable[Decision[Any]]]:
        """Give the handler by which an agent answers the trigger: its judgment as an opinion, or an abstention.

        Parameters
        ----------
        judge : Judge, optional
            How a candidate answers; the step's own are known.
        """
        asked = judge or self.judges[agent]

        async def on_trigger(event: Event, _state: object, deps: object) -> Decision[Any]:
            """Emit the agent's opinion; where it knows too little, that it abstains."""
            try:
                opinion = self._opinion(event, agent, await asked(event, deps))
            except MissingError as error:
                opinion = self._abstention(event, agent, str(error))
            return Decision(emits=(Emit(OpinionFormed.caused_by(event, source=agent, data=opinion)),))

        return on_trigger

    async def on_trigger(self, event: Event, state: Rounds, deps: StepDeps) -> Decision[Rounds]:
        """Open the round: remember it, and schedule its deadline.

        Also where all have voted before: the log must not depend on who was first.
        """
        current = state.rounds.get(event.id, Round())
        due = current.deadline or self.deadline_of(event, deps)
        opened = state.with_round(event.id, current.model_copy(update={"deadline": due}))
        return Decision(opened, (Emit(self.deadline_event(event, due), deliver_at=due),))

    async def on_opinion(self, event: OpinionFormed, state: Rounds, deps: StepDeps) -> Decision[Rounds]:
        """Count a vote, and close the round with the last one; a vote after the end is kept as late."""
        vote, trigger = event.data, event.data.trigger
        current = state.rounds.get(trigger, Round())
        if vote.agent not in self.judges or vote.agent in current.ballots:
            return Decision()
        if current.closed:
            return Decision(state.with_round(trigger, current.model_copy(update={"late": (*current.late, event.id)})))
        ballots = {**current.ballots, vote.agent: Ballot(id=event.id, time=event.time, opinion=vote)}
        current = current.model_copy(update={"ballots": ballots})
        if len(ballots) < len(self.judges):
            return Decision(state.with_round(trigger, current))
        last = max(ballot.time for ballot in ballots.values())
        weights = await self._weights(current, deps)
        return self._close(event, state, current, _Closed(trigger, last, "quorum", weights))

    async def on_deadline(self, event: Event, state: Rounds, deps: StepDeps) -> Decision[Rounds]:
        """Close a round that is still open with the votes that are in."""
        trigger = str(event.data.trigger)
        current = state.rounds.get(trigger, Round())
        if current.closed:
            return Decision()
        weights = await self._weights(current, deps)
        return self._close(event, state, current, _Closed(trigger, event.time, "deadline", weights))

    async def _weights(self, current: Round, deps: StepDeps) -> dict[str, float]:
        """Give what the records have earned the voters, as known when they were asked."""
        asked = {agent: ballot.time for agent, ballot in current.ballots.items() if agent in self.graded}
        if deps.records is None or not asked:
            return {}
        records = await deps.records.all(asked, min(asked.values()))
        regime = _regime(current.ballots.values())
        return {agent: earned(record, regime) for agent, record in records.items()}

    def _close(self, cause: Event, state: Rounds, current: Round, how: "_Closed") -> Decision[Rounds]:
        ballots = tuple(current.ballots[agent] for agent in sorted(current.ballots))
        consensus = self.aggregate(Closing(self, how.trigger, ballots, how.by, how.at, how.weights))
        # Caused by the trigger, not by whichever vote was last: its bytes must not depend on who was fastest.
        reached = ConsensusReached.caused_by(
            cause,
            source=CONSENSUS,
            id=derive_id(how.trigger, CONSENSUS),
            time=how.at,
            causation=how.trigger,
            data=consensus,
        )
        closed = current.model_copy(update={"closed": True})
        return Decision(state.with_round(how.trigger, closed), (Emit(reached),))

    def _opinion(self, event: Event, agent: str, judgment: Judgment) -> Opinion:
        return Opinion(
            step=self.name,
            trigger=event.id,
            agent=agent,
            stance=judgment.stance,
            confidence=judgment.confidence,
            rationale=judgment.rationale,
            evidence=judgment.evidence,
            veto=judgment.veto,
        )

    def _abstention(self, event: Event, agent: str, reason: str) -> Opinion:
        return Opinion(
            step=self.name,
            trigger=event.id,
            agent=agent,
            stance=0,
            confidence=0,
            rationale=reason[:_RATIONALE_CHARS],
            abstained=reason,
        )


def _regime(ballots: Iterable[Ballot]) -> str:
    """Give the regime that a voter names among its evidence; empty where none does."""
    named = (each for ballot in ballots for each in ballot.opinion.evidence if each.name == REGIME)
    return next((str(each.value) for each in named), "")


def earned(record: AgentRecord, regime: str) -> float:
    """Give the weight that a record earns in a regime; an unknown regime, or an empty one, is as overall."""
    overall = calibration.skill(record.overall.count, record.overall.brier)
    there = record.regimes.get(regime)
    return calibration.weight(calibration.skill(there.count, there.brier, overall) if there else overall)
