"""Whatever a model answers, wherever it is asked: what holds is told, else there is a reason, never an error."""

import pytest

from shared.agents import narrator
from shared.bus.topology import topology
from shared.events.envelope import Event
from shared.events.explanation import ExplanationWritten
from shared.events.news import HeadlineRead
from shared.events.options import OptionsSuggested
from shared.events.portfolio import RiskAssessed
from shared.events.question import AnswerWritten
from shared.events.trade import OpinionFormed
from shared.llm import openai as server
from tests.builders import CLOSE, DAY, MINUTE, a_headline, a_question, a_trade_request, altered
from tests.contract.model_bench import a_model
from tests.examples import FULL
from tests.standins.desk import MemoryDesk, an_agent_desk
from tests.standins.openai.deform import deforming
from tests.standins.openai.model import explains
from tests.standins.openai.server import OpenAIStandIn

ROUNDS = 12
SAID = (HeadlineRead, ExplanationWritten, AnswerWritten)


@pytest.fixture(autouse=True)
def all_are_hard(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the narrator ask about every headline, and nobody wait before it asks again."""
    monkeypatch.setattr(narrator, "HARD_BELOW", 2.0)
    monkeypatch.setattr(narrator, "LEAST_TONE", 0.0)
    monkeypatch.setattr(server, "_PAUSE_SECONDS", 0.0)


def asked(number: int) -> list[Event]:
    """Give one event for each place where a model is asked."""
    later = CLOSE + number * MINUTE
    measured = [
        altered(next(event for event in FULL if isinstance(event, kind)), id=f"{kind.__name__}-{number}")
        for kind in (RiskAssessed, OptionsSuggested)
    ]
    return [
        a_headline(f"Apple rises for the {number}th time", time=later),
        a_trade_request("AAPL", "buy", quantity=number + 1, time=later),
        a_question("What is new of Apple?", time=CLOSE + DAY + number * MINUTE),
        *measured,
    ]


async def played(model: object) -> MemoryDesk:
    desk = an_agent_desk(topology(), model=model)  # type: ignore[arg-type] # or None
    for number in range(ROUNDS):
        for event in asked(number):
            await desk.runtime.emit([event])
        await worked(desk)
    return desk


async def worked(desk: MemoryDesk) -> None:
    """Hand out what is ready; what a handler raises comes out here: the next delivery may be answered better."""
    while found := list(filter(None, [await desk.take(subscription) for subscription in desk.readers])):
        for delivery in found:
            await desk.handle(delivery)
            await desk.bus.complete(delivery)


@pytest.mark.parametrize("seed", range(3))
async def test_desk_when_its_model_answers_anything_abstains_with_reasons_and_never_fails(seed: int) -> None:
    with OpenAIStandIn(deforming(explains, seed)) as openai:
        async with a_model(openai) as bench:
            desk = await played(bench.model)
            assert len(openai.seen) == len(bench.charged)
    log = await desk.log()
    assert [event for event in log if event.type == "step.failed"] == []
    assert await desk.bus.dead_letters() == []
    said = [event.data for event in log if isinstance(event, SAID)]
    assert len(said) == 5 * ROUNDS
    for each in said:
        told = each.tone if hasattr(each, "tone") else each.text
        assert bool(told) is (each.abstained is None), each
    assert 5 < sum(each.abstained is None for each in said) < len(said) - 5


async def test_votes_when_the_model_answers_anything_are_as_without_one_or_nearer_to_zero() -> None:
    plain = stances(await (await played(None)).log())
    with OpenAIStandIn(deforming(explains, 0)) as openai:
        async with a_model(openai) as bench:
            after = stances(await (await played(bench.model)).log())
    assert after.keys() == plain.keys()
    assert all(stance * plain[vote] >= 0 and abs(stance) <= abs(plain[vote]) for vote, stance in after.items())


def stances(log: list[Event]) -> dict[tuple[str, str], float]:
    return {(event.data.trigger, event.source): event.data.stance for event in log if isinstance(event, OpinionFormed)}
