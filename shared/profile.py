"""An agent as its record shows it: what it is, what it last concluded, how often it abstains, what its votes weigh."""

import asyncio
import sys
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import get_args

from pydantic import BaseModel

from shared.agents.registry import STEPS, handlers
from shared.agents.step import CONSENSUS, earned
from shared.bus.topology import Topology, agent_of
from shared.callers.caller import Caller
from shared.events.catalogue import decode
from shared.events.envelope import Event, Share, Token, UtcTime
from shared.events.market import Regime
from shared.events.options import OptionsSuggested
from shared.events.question import ResearchCompleted
from shared.events.trade import AgentRecord, ConsensusReached, OpinionFormed, Outcomes
from shared.projections.happening import Happenings
from shared.projections.record import Records
from shared.projections.view import Views

MOST_DECISIONS = 100
"""Decisions that are looked at for how an agent voted."""
_SAID: tuple[type[Event], ...] = (OptionsSuggested, ResearchCompleted)
_REGIMES: tuple[Regime, ...] = get_args(Regime)


class Listening(BaseModel):
    """A subscription of an agent: its topic, its name, and the event types that it lets through."""

    topic: Token
    name: Token
    subjects: tuple[str, ...]


class Conclusion(BaseModel):
    """What an agent concluded.

    Attributes
    ----------
    event, type : str
        Id and type of the event that it concluded.
    handled : str or None
        Id of the event that led to it.
    """

    event: Token
    type: str
    handled: Token | None
    time: UtcTime


class Votes(BaseModel):
    """How an agent voted in the latest decisions, at most 100, on trades of the caller's and the desk's own.

    Attributes
    ----------
    counted : int
        Votes and abstentions that came in time.
    missed : int
        Decisions that it was asked for and had not answered when they closed.
    abstain_rate : float or None
        Abstentions by votes counted; null where there is none.
    """

    counted: int
    abstained: int
    missed: int
    abstain_rate: Share | None


class Standing(BaseModel):
    """How graded votes turned out, and the weight that this earns the next one.

    Attributes
    ----------
    regime : str or None
        That the symbol was in; null for all together, which also counts where no regime is known.
    hit_rate : float
        Hits by outcomes.
    weight : float
        1 for an agent as good as a coin.
    """

    regime: Regime | None
    outcomes: Outcomes
    hit_rate: Share
    weight: float


class Profile(BaseModel):
    """An agent.

    Attributes
    ----------
    about : str
        What it does.
    reacts_to : list of str
        Event types.
    votes_in, graded_in : list of str
        Steps; those in which the market grades its votes.
    views_on : list of str
        Symbols or portfolios.
    latest : Conclusion or None
        The latest of its views, votes and answers that are the caller's or the desk's own; null where there is none.
    standings : list of Standing
        Over all votes of the desk, and by regime; empty while nothing was graded.
    """

    name: Token
    as_of: UtcTime
    about: str
    reacts_to: list[str]
    votes_in: list[str]
    graded_in: list[str]
    views_on: list[str]
    subscriptions: list[Listening]
    latest: Conclusion | None
    votes: Votes
    standings: list[Standing]


@dataclass(frozen=True, slots=True)
class Reads:
    """What a profile is made from."""

    views: Views
    happenings: Happenings
    records: Records | None
    topology: Topology


async def profile(name: str, caller: Caller, views_on: Collection[str], as_of: datetime, reads: Reads) -> Profile:
    """Give an agent's profile as of a moment, as far as the caller may read; the agent is one of the registry's."""
    steps = [step for step in STEPS if name in step.judges]
    decisions = await _decisions(caller, as_of, reads.happenings)
    record = await reads.records.latest(name, as_of) if reads.records else None
    said = [
        *_votes_of(name, decisions),
        *[_concluded(event) for event in await _said(name, caller, views_on, as_of, reads)],
    ]
    return Profile(
        name=name,
        as_of=as_of,
        about=_about(name),
        reacts_to=sorted(kind.name() for kind in handlers(name)),
        votes_in=[step.name for step in steps],
        graded_in=[step.name for step in steps if name in step.graded],
        views_on=list(views_on),
        subscriptions=list(_subscriptions(name, reads.topology)),
        latest=max(said, key=lambda each: each.time, default=None),
        votes=_counted(name, decisions),
        standings=[] if record is None else list(_standings(record)),
    )


async def _decisions(caller: Caller, as_of: datetime, happenings: Happenings) -> list[ConsensusReached]:
    found = [
        event
        for owner in caller.owners
        for step in STEPS
        for event in await happenings.read(ConsensusReached, step.name, as_of, owner=owner, limit=MOST_DECISIONS)
    ]
    return sorted(found, key=lambda event: (event.time, event.id))[-MOST_DECISIONS:]


async def _said(name: str, caller: Caller, views_on: Collection[str], as_of: datetime, reads: Reads) -> list[Event]:
    """Give the latest of an agent's views and answers that the caller may read."""
    owners = dict.fromkeys((caller.owner, None))
    asked = [(subject, owner) for subject in views_on for owner in owners]
    bodies = await asyncio.gather(*(reads.views.latest(name, subject, as_of, owner) for subject, owner in asked))
    events = [decode(body) for body in bodies if body is not None]
    for kind in _SAID:
        for owner in caller.owners:
            events += await reads.happenings.read(kind, name, as_of, owner=owner, limit=1)
    return [event for event in events if caller.reads(event)]


def _about(name: str) -> str:
    # The registry has loaded every agent's module, and each says in its first paragraph what the agent does.
    return " ".join((sys.modules[f"shared.agents.{name}"].__doc__ or "").partition("\n\n")[0].split())


def _subscriptions(name: str, topology: Topology) -> Iterator[Listening]:
    for topic in topology.topics:
        for each in topic.subscriptions:
            if agent_of(each.name) == name:
                yield Listening(topic=topic.name, name=each.name, subjects=each.subjects)


def _concluded(event: Event) -> Conclusion:
    return Conclusion(event=event.id, type=event.type, handled=event.causationid, time=event.time)


def _votes_of(name: str, decisions: Iterable[ConsensusReached]) -> Iterator[Conclusion]:
    """Give an agent's votes; of the consensus, which has none, the decisions."""
    for event in decisions:
        if name == CONSENSUS:
            yield _concluded(event)
        for vote in event.data.votes:
            if vote.agent == name:
                opinion, trigger = vote.opinion, event.data.trigger
                yield Conclusion(event=opinion, type=OpinionFormed.name(), handled=trigger, time=event.time)


def _counted(name: str, decisions: Collection[ConsensusReached]) -> Votes:
    votes = [vote for event in decisions for vote in event.data.votes if vote.agent == name]
    abstained = sum(vote.abstained is not None for vote in votes)
    return Votes(
        counted=len(votes),
        abstained=abstained,
        missed=sum(name in event.data.missing for event in decisions),
        abstain_rate=abstained / len(votes) if votes else None,
    )


def _standings(record: AgentRecord) -> Iterator[Standing]:
    yield _standing(None, record.overall, earned(record, ""))
    for regime in _REGIMES:
        if (outcomes := record.regimes.get(regime)) is not None:
            yield _standing(regime, outcomes, earned(record, regime))


def _standing(regime: Regime | None, outcomes: Outcomes, weight: float) -> Standing:
    rate = outcomes.hits / outcomes.count if outcomes.count else 0.0
    return Standing(regime=regime, outcomes=outcomes, hit_rate=rate, weight=weight)
