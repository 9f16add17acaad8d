"""Silence: an agent that abstains more often than not is told of, once, until it has recovered."""

from collections.abc import Iterable

from hypothesis import given
from hypothesis import strategies as st

from shared.agents.registry import STATES
from shared.agents.step import StepDeps
from shared.bus.topology import topology
from shared.events.question import AnswerWritten, ResearchCompleted
from shared.events.step import AgentSilenceDetected
from shared.events.trade import OpinionFormed
from shared.silence import ALARM_SHARE, ANSWERS, CALM_SHARE, Tally, Watch
from shared.sweep import Sweep
from tests.builders import a_headline, a_trade_request, altered, an_opinion
from tests.examples import FULL, LEAST
from tests.standins.desk import MemoryDesk, an_agent_desk


def votes(pattern: str, agent: str = "oracle", first: int = 0) -> list[OpinionFormed]:
    """Give opinions on one trade each: `x` abstains."""
    return [
        an_opinion(a_trade_request(quantity=first + n + 1), agent=agent, abstained="no data" if sign == "x" else None)
        for n, sign in enumerate(pattern)
    ]


def seen(events: Iterable[OpinionFormed]) -> Watch:
    watch = Watch({})
    for event in events:
        watch.see(event)
    return watch


def test_agent_when_half_of_its_answers_abstain_is_told_of_once() -> None:
    events = votes("." * 10 + "x" * 20)
    watch = seen(events)
    (alarm,) = watch.alarms
    assert (alarm.data.agent, alarm.data.abstained, alarm.data.of, alarm.data.reason) == ("oracle", 10, 20, "no data")
    assert (alarm.time, alarm.stream, alarm.owner) == (events[19].time, "agent-oracle", None)
    assert seen(events[:19]).alarms == []


def test_agent_when_it_has_said_little_is_not_told_of() -> None:
    assert seen(votes("x" * (ANSWERS - 1))).alarms == []


def test_agent_when_it_has_recovered_is_told_of_again() -> None:
    assert len(seen(votes("x" * 20 + "." * 14 + "x" * 5)).alarms) == 1
    assert len(seen(votes("x" * 20 + "." * 16 + "x" * 20)).alarms) == 2


def test_agents_when_they_are_several_are_counted_apart() -> None:
    both = [each for pair in zip(votes("x" * 20, "a"), votes("." * 20, "b"), strict=True) for each in pair]
    assert [alarm.data.agent for alarm in seen(both).alarms] == ["a"]


def test_model_when_it_alone_abstains_is_told_of_beside_the_answers_of_rules() -> None:
    answered = next(event for event in FULL if isinstance(event, ResearchCompleted))
    silent = next(event for event in LEAST if isinstance(event, AnswerWritten))
    watch = Watch({})
    for number in range(ANSWERS):
        watch.see(altered(answered, id=f"a-{number}"))
        watch.see(altered(silent, id=f"s-{number}"))
    (alarm,) = watch.alarms
    assert (alarm.data.agent, alarm.data.abstained, alarm.data.reason) == ("research_agent", 20, "too late")


def test_event_when_it_is_no_answer_is_not_counted() -> None:
    watch = Watch({})
    watch.see(a_headline())
    assert watch.tallies == {}


@given(st.text("x.", max_size=80), st.integers(0, 80))
def test_watch_when_it_goes_on_from_its_tallies_says_the_same(pattern: str, cut: int) -> None:
    events = votes(pattern)
    first = seen(events[:cut])
    again = Watch({name: Tally.model_validate_json(each.model_dump_json()) for name, each in first.tallies.items()})
    for event in events[cut:]:
        again.see(event)
    assert [*first.alarms, *again.alarms] == seen(events).alarms
    assert CALM_SHARE < ALARM_SHARE


async def swept(desk: MemoryDesk, *events: OpinionFormed) -> list[AgentSilenceDetected]:
    """Give the alarms in the log when the sweep has seen the events."""
    agents = frozenset(STATES)
    sweep = Sweep(desk.store, desk.bus, desk.clock, desk.runtime, topology(), StepDeps(1, 30), agents)
    await sweep.tick()
    await desk.store.append(events)
    await sweep.tick()
    return [event for event in await desk.log() if isinstance(event, AgentSilenceDetected)]


async def test_sweep_when_it_comes_upon_silence_tells_of_it_once() -> None:
    desk = an_agent_desk(topology())
    assert await swept(desk, *votes("x" * 15)) == []
    (alarm,) = await swept(desk, *votes("x" * 15, first=15))
    assert await swept(desk, *votes("x" * 15, first=30)) == [alarm]
    assert alarm.audience == "-"
