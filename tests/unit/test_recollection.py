"""What is remembered makes a judgment less sure within its bounds, is shown as evidence, and never stops a vote."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.agents.opinion import Judgment
from shared.agents.recollection import LEAST_FACTOR, SHOWN, factor, recollected
from shared.errors import TransientError
from shared.events.trade import Evidence
from shared.memory.memory import Memory, Recollection
from shared.memory.port import OwnMemory
from shared.memory.situation import FACTOR, RECALLED
from tests.builders import CLOSE, DAY, a_trade_request, altered
from tests.memories import a_memory, an_outcome
from tests.standins.memories import PlainMemories

TRADE = a_trade_request("IBM", time=CLOSE + 30 * DAY)
JUDGED = Judgment(0.5, 0.8, "Up.", (Evidence(name="trend", value=1.0),), veto=None)
TEXT = "buy IBM for trend=+1e+00"


async def recalled(*found: Memory, judgment: Judgment = JUDGED, error: Exception | None = None) -> Judgment:
    async with PlainMemories.opened() as memories:
        await memories.remember(found)
        memories.error = error
        return await recollected(TRADE, judgment, OwnMemory(memories, "oracle"))


def of(hit: bool, *, similarity: float = 1.0, stance: float = 0.5) -> Recollection:
    return Recollection(a_memory(stance=stance, outcome=an_outcome(hit=hit)), similarity)


def test_factor_when_nothing_was_graded_is_one() -> None:
    assert factor([Recollection(a_memory(), 1.0)]) == factor([]) == 1


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        ([of(False)], 2 * 2 / 5),
        ([of(False)] * 3, 2 * 2 / 7),
        ([of(False)] * 9, LEAST_FACTOR),
        ([of(True)] * 3, 1.0),
        ([of(True), of(False)], 1.0),
        ([of(True, similarity=0.5), of(False), of(False)], 2 * 2.5 / 6.5),
        ([of(False, stance=0.0)], 1.0),
    ],
)
def test_factor_when_similar_opinions_were_graded_is_twice_the_chance_to_be_right(
    found: list[Recollection], expected: float
) -> None:
    assert factor(found) == pytest.approx(expected)


@given(st.lists(st.tuples(st.booleans(), st.floats(0, 1)), max_size=30))
def test_factor_when_anything_is_found_is_within_its_bounds(found: list[tuple[bool, float]]) -> None:
    assert LEAST_FACTOR <= factor([of(hit, similarity=similarity) for hit, similarity in found]) <= 1


async def test_judgment_when_there_is_no_memory_or_nothing_alike_is_the_same() -> None:
    assert await recollected(TRADE, JUDGED, None) is JUDGED
    assert await recalled() == JUDGED
    assert await recalled(a_memory("sell MSFT against headline (-0.8)", known_at=CLOSE)) == JUDGED


async def test_judgment_when_similar_ones_were_wrong_is_less_sure_and_says_why() -> None:
    memory = a_memory(TEXT, id="m-1", known_at=CLOSE, outcome=an_outcome(hit=False))
    judgment = await recalled(memory)
    assert judgment.confidence == pytest.approx(0.8 * 0.8)
    assert (judgment.stance, judgment.veto, judgment.rationale) == (0.5, None, "Up.")
    known, recollection, shrunk = judgment.evidence
    assert known == JUDGED.evidence[0]
    assert recollection.name == f"{RECALLED}m-1"
    assert recollection.event == memory.event
    assert recollection.value == f"{CLOSE:%Y-%m-%d} buy IBM, stance +0.50: wrong, -2.0% in 7 days (similarity 1.00)"
    assert shrunk.name == FACTOR
    assert shrunk.value == pytest.approx(0.8)


async def test_judgment_when_the_grade_came_later_knows_nothing_of_it() -> None:
    future = an_outcome(hit=False, at=TRADE.time)
    assert await recalled(a_memory(TEXT, known_at=CLOSE, outcome=future)) == JUDGED


async def test_judgment_when_a_memory_is_of_its_own_moment_or_later_sees_none() -> None:
    canaries = [a_memory(TEXT, id=f"c{days}", known_at=TRADE.time + days * DAY) for days in (0, 1, 400)]
    assert await recalled(*canaries) == JUDGED


async def test_judgment_when_newer_ones_are_not_graded_shows_the_graded_first() -> None:
    fresh = [a_memory(TEXT, id=f"f{days}", known_at=CLOSE + (20 + days) * DAY) for days in range(5)]
    old = a_memory(f"{TEXT} more=+1e+00", id="old", known_at=CLOSE, outcome=an_outcome(hit=False))
    judgment = await recalled(*fresh, old)
    assert [each.name for each in judgment.evidence[1:]] == [f"{RECALLED}old", FACTOR]
    assert judgment.confidence < 0.8


async def test_judgment_when_none_was_graded_is_the_same() -> None:
    fresh = [a_memory(TEXT, id=f"f{days}", known_at=CLOSE + (20 + days) * DAY) for days in range(5)]
    assert await recalled(*fresh) == JUDGED


async def test_judgment_when_many_were_graded_shows_the_likest_three() -> None:
    graded = [
        a_memory(
            f"{TEXT} more{number}=+1e+00" if number else TEXT, id=f"g{number}", known_at=CLOSE, outcome=an_outcome()
        )
        for number in range(5)
    ]
    judgment = await recalled(*graded)
    assert len(judgment.evidence) == 1 + SHOWN + 1
    assert judgment.evidence[1].name == f"{RECALLED}g0"


async def test_judgment_when_memory_fails_stands_and_says_so() -> None:
    judgment = await recalled(error=TransientError("disk full"))
    assert (judgment.confidence, judgment.stance) == (0.8, 0.5)
    assert judgment.evidence[-1].value == "not available: disk full"


async def test_veto_when_something_is_recalled_stays() -> None:
    memory = a_memory("buy IBM against trend=+1e+00", known_at=CLOSE, outcome=an_outcome(hit=False))
    judgment = await recalled(memory, judgment=replace(JUDGED, stance=-1.0, veto="too much"))
    assert (judgment.stance, judgment.veto) == (-1.0, "too much")
    assert judgment.confidence < 0.8


async def test_owner_when_another_asks_is_told_nothing() -> None:
    hers = a_memory(TEXT, known_at=CLOSE, owner="anna", outcome=an_outcome(hit=False))
    assert await recalled(hers) == JUDGED
    asked = altered(TRADE, owner="anna")
    async with PlainMemories.opened() as memories:
        await memories.remember([hers])
        assert (await recollected(asked, JUDGED, OwnMemory(memories, "oracle"))).confidence < 0.8
