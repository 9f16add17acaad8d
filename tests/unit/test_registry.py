"""The map of the system: registry, topology and the function app's decorators say the same."""

import runpy
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from local import pump
from local.registration import Registered, registrations
from shared.agents.registry import REACTIONS, STATES, STEPS, handlers
from shared.agents.step import CONSENSUS, Rounds, Step, StepDeps
from shared.bus.port import Delivery
from shared.bus.topology import topology
from shared.errors import InvalidError
from shared.events.catalogue import EVENTS
from shared.events.envelope import Event
from shared.events.trade import OpinionFormed
from shared.projections.in_memory import InMemoryProjectionStore
from shared.projections.memory import FOLDED
from shared.projections.port import Row
from shared.projections.projector import Projector
from shared.runtime import Received
from shared.store.in_memory import InMemoryEventStore
from tests.builders import CLOSE, a_message, an_opinion
from tests.examples import FULL

PROJECTOR, REPLAY = "projector", "replay"
ROUTES = {
    (topic.name, subscription.name): set(subscription.subjects)
    for topic in topology().topics
    for subscription in topic.subscriptions
}


@pytest.fixture(scope="module")
def listeners() -> list[Registered]:
    """The functions that a Service Bus message triggers; from an app of their own, which lists them only once."""
    app = runpy.run_path(str(Path(__file__).parents[2] / "function_app.py"))["app"]
    functions = registrations(app, {"FINAGENT_TICK": "0 * * * * *"})
    return [function for function in functions if function.trigger["type"] == "serviceBusTrigger"]


class CountingProjectionStore(InMemoryProjectionStore):
    """Counts the rows that it is given."""

    rows = 0

    async def apply(self, rows: Sequence[Row]) -> None:
        self.rows += len(rows)


class RecordingRuntime:
    """Remembers who was to handle which topic's messages."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str]] = []

    async def handle(self, received: Received, agent: str) -> None:
        self.asked.append((received.topic, agent))

    async def fold(self, received: Received, reader: str, _fold: object) -> None:
        self.asked.append((received.topic, reader))


def subscribed(agent: str) -> dict[str, set[str]]:
    """Give the subjects that reach an agent, by topic."""
    return {topic: subjects for (topic, name), subjects in ROUTES.items() if name == agent.replace("_", "-")}


def wanted(kinds: set[type[Event]]) -> dict[str, set[str]]:
    """Give event types' names by their topic."""
    return {topic: {kind.name() for kind in kinds if kind.topic == topic} for topic in {kind.topic for kind in kinds}}


@pytest.mark.parametrize("agent", STATES)
def test_agent_when_it_reacts_to_events_is_subscribed_to_just_those(agent: str) -> None:
    assert subscribed(agent) == wanted(set(handlers(agent)))


async def test_projector_when_events_are_folded_is_subscribed_to_just_those() -> None:
    folded = set[type[Event]]()
    for event in FULL:
        projections = CountingProjectionStore()
        await Projector(projections, InMemoryEventStore()).project(event)
        if projections.rows:
            folded.add(type(event))
    assert subscribed(PROJECTOR) == wanted(folded | set(FOLDED))


def test_subscriptions_when_listed_belong_to_an_agent_the_projector_or_the_replays() -> None:
    assert {name.replace("-", "_") for _, name in ROUTES} == {*STATES, PROJECTOR, REPLAY}
    assert set().union(*ROUTES.values()) <= set(EVENTS)


def test_subscription_when_listed_has_exactly_one_function(listeners: list[Registered]) -> None:
    served = Counter((each.trigger["topicName"], each.trigger["subscriptionName"]) for each in listeners)
    assert served == Counter(ROUTES.keys())


def test_function_when_its_topic_has_sessions_has_them_enabled(listeners: list[Registered]) -> None:
    sessions = {topic.name: topic.requires_session for topic in topology().topics}
    assert {each.name: bool(each.trigger.get("isSessionsEnabled")) for each in listeners} == {
        each.name: sessions[each.trigger["topicName"]] for each in listeners
    }
    assert set(sessions.values()) == {True, False}


def test_function_when_named_is_named_after_its_subscription(listeners: list[Registered]) -> None:
    for each in listeners:
        agent = each.trigger["subscriptionName"].replace("-", "_")
        assert each.name == (agent if each.trigger["topicName"] == "events" else f"{agent}_{each.trigger['topicName']}")
        assert each.name == each.name.lower()
        assert each.trigger["connection"] == "SERVICEBUS"


async def test_function_when_invoked_lets_its_own_agent_handle_its_own_topic(
    listeners: list[Registered], monkeypatch: pytest.MonkeyPatch
) -> None:
    for each in listeners:
        runtime = RecordingRuntime()
        desk = SimpleNamespace(runtime=runtime, projector=SimpleNamespace(project=None))
        monkeypatch.setattr(f"{each.call.__module__}.desk", lambda desk=desk: desk)
        topic, agent = each.trigger["topicName"], each.trigger["subscriptionName"].replace("-", "_")
        delivery = Delivery(a_message(topic=topic), f"{topic}/{agent}", 1, 1, CLOSE, "lock")
        await each.invoke(pump._message(delivery), "1")
        assert runtime.asked == [(topic, agent)]


def test_agents_when_registered_have_a_state_that_starts_empty() -> None:
    reacting = {agent for reactions in REACTIONS.values() for agent in reactions}
    judging = {agent for step in STEPS for agent in step.judges}
    assert {*reacting, *judging, CONSENSUS} == set(STATES)
    for state in STATES.values():
        assert state.model_validate_json(state().model_dump_json()) == state()


def test_handlers_when_put_together_hide_none() -> None:
    # `handlers` merges reactions, votes, openings and endings by type: a second one for a type would replace the first.
    for agent in STATES:
        reactions = [kind for kind, reacting in REACTIONS.items() if agent in reacting]
        votes = [step.trigger for step in STEPS if agent in step.judges]
        rounds = [kind for step in STEPS for kind in (step.trigger, step.deadline)] if agent == CONSENSUS else []
        kinds = [*reactions, *votes, *rounds]
        assert len(set(kinds)) == len(kinds)
    assert len({step.name for step in STEPS}) == len(STEPS)


@pytest.mark.parametrize("step", STEPS, ids=lambda step: step.name)
def test_step_when_declared_can_reach_its_quorum_and_has_a_scheduled_deadline(step: Step) -> None:
    assert 1 <= step.quorum <= len(step.judges)
    assert set(step.vetoes) | set(step.graded) <= set(step.judges)
    assert step.deadline.scheduled
    assert not step.trigger.scheduled


async def test_opinion_when_its_step_is_not_declared_is_refused() -> None:
    opinion = an_opinion()
    stray = opinion.model_copy(update={"data": opinion.data.model_copy(update={"step": "dream"})})
    handler = handlers(CONSENSUS)[OpinionFormed]
    with pytest.raises(InvalidError, match="no step 'dream' is declared"):
        await handler(stray, Rounds(), StepDeps(pace=1, patience_seconds=1))


def test_agent_when_it_is_unknown_handles_nothing() -> None:
    assert handlers("astrologer") == {}


def test_steps_when_two_have_the_same_trigger_are_refused() -> None:
    with pytest.raises(InvalidError, match="same trigger"):
        handlers(CONSENSUS, (*STEPS, replace(STEPS[0], name="another")))
