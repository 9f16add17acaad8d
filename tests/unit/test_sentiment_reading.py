"""Readings of a language model: they shrink a headline's tone, whenever they come, and nothing else."""

from collections.abc import Sequence
from datetime import timedelta
from itertools import permutations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.agents import sentiment_tracker
from shared.agents.opinion import Judgment
from shared.agents.own_state import OwnState
from shared.agents.registry import handlers
from shared.agents.sentiment_tracker import EARLY_READINGS_KEPT, STREAM, SentimentDeps, SentimentState, judge_trade
from shared.errors import MissingError
from shared.events.envelope import Event
from shared.events.news import HeadlineRead, HeadlineReading, NewsReceived, SentimentScored
from shared.store.in_memory import InMemoryEventStore
from shared.store.port import Commit
from tests.builders import CLOSE, HOUR, SECOND, a_headline, a_trade_request
from tests.examples import CALL

TEXTS = (
    "Apple's profit soars and beats every estimate",
    "Apple's profit plunges and misses every estimate",
    "Apple opens a shop",
    "Apple rises on strong sales",
    "Apple is sued over its batteries",
)
MARKET_TEXTS = ("Stocks plunge as profits miss every estimate", "Stocks soar as profits beat every estimate")
GOOD = a_headline(TEXTS[0])


def a_reading(news: NewsReceived, keep: float = 0.25) -> HeadlineRead:
    data = HeadlineReading(
        news=news.id, score=0.5, certainty=0.5, tone="neutral", confidence=1 - keep, keep=keep, calls=(CALL,)
    )
    return HeadlineRead.caused_by(news, source="narrator", data=data)


async def told(*events: Event) -> tuple[list[SentimentScored], SentimentState]:
    """Give what the tracker says on events, and its state."""
    said, state, deps = list[SentimentScored](), SentimentState(), deps_of(InMemoryEventStore())
    for event in events:
        decision = await handlers(sentiment_tracker.NAME)[type(event)](event, state, deps)
        if decision.state is not None:
            state = SentimentState.model_validate_json(decision.state.model_dump_json())
        said += [emit.event for emit in decision.emits if isinstance(emit.event, SentimentScored)]
    return said, state


def deps_of(store: InMemoryEventStore) -> SentimentDeps:
    return SentimentDeps(OwnState(store, sentiment_tracker.NAME, SentimentState))


async def judged(state: SentimentState, side: str = "buy", later: timedelta = 6 * HOUR) -> Judgment:
    store = InMemoryEventStore()
    await store.commit(Commit("sentiment_tracker", STREAM, "e", state.model_dump_json().encode(), None, ()))
    return await judge_trade(a_trade_request(side=side, time=CLOSE + later), deps_of(store))  # type: ignore[arg-type]


async def test_headline_when_it_was_read_otherwise_counts_with_what_is_left() -> None:
    said, state = await told(GOOD, a_reading(GOOD))
    assert [each.causationid for each in said] == [GOOD.id, a_reading(GOOD).id]
    assert said[1].data.score == pytest.approx(0.25 * said[0].data.score)
    assert said[1].data.weight == pytest.approx(said[0].data.weight)
    assert [part.reading for part in said[1].data.headlines] == [a_reading(GOOD).id]
    assert (await judged(state)).stance == pytest.approx(0.25 * (await judged((await told(GOOD))[1])).stance)


async def test_headline_when_its_tone_is_confirmed_changes_nothing() -> None:
    assert (await told(GOOD, a_reading(GOOD, 1))) == (await told(GOOD))


async def test_event_when_no_model_read_it_is_the_same_to_the_byte_as_before() -> None:
    (said,), _ = await told(GOOD)
    assert b"reading" not in said.json_bytes


@pytest.mark.parametrize("order", [*permutations(range(3))], ids=str)
async def test_reading_when_it_comes_before_its_headline_or_after_counts_the_same(order: Sequence[int]) -> None:
    events: list[Event] = [GOOD, a_reading(GOOD), a_headline(TEXTS[1], time=CLOSE + HOUR)]
    _, state = await told(*(events[number] for number in order))
    assert await judged(state) == await judged((await told(*events))[1])


async def test_readings_when_their_headlines_never_come_are_forgotten() -> None:
    strays = [a_reading(a_headline(f"Apple {number}")) for number in range(EARLY_READINGS_KEPT + 5)]
    _, state = await told(GOOD, a_reading(GOOD), *strays)
    assert list(state.readings) == [GOOD.id, *(each.data.news for each in strays[5:])]


async def test_reading_when_it_came_after_the_trade_is_not_seen() -> None:
    _, before = await told(GOOD)
    _, after = await told(GOOD, a_reading(a_headline(TEXTS[0], time=CLOSE + 12 * HOUR)))
    assert a_reading(a_headline(TEXTS[0], time=CLOSE + 12 * HOUR)).data.news == GOOD.id
    assert await judged(after) == await judged(before)
    assert await judged(after, later=13 * HOUR) != await judged(before, later=13 * HOUR)


@settings(max_examples=40)
@given(
    st.lists(
        st.tuples(st.sampled_from(TEXTS), st.sampled_from(MARKET_TEXTS), st.floats(0, 1), st.floats(0, 1)), max_size=3
    ),
    st.sampled_from(["buy", "sell"]),
)
async def test_stance_when_headlines_were_read_never_grows_or_changes_its_sign(
    known: list[tuple[str, str, float, float]], side: str
) -> None:
    news, readings = list[Event](), list[Event]()
    for number, (own, market, keep_own, keep_market) in enumerate(known):
        for text, symbols, keep in ((own, ("AAPL",), keep_own), (market, (), keep_market)):
            event = a_headline(f"{text} {number}", symbols=symbols, time=CLOSE + number * HOUR)
            news.append(event)
            readings.append(a_reading(event, keep))
    plain, state = await told(*news)
    shrunk, changed = await told(*news, *readings)
    last = {each.data.symbol: each for each in plain}
    for each in shrunk[len(plain) :]:
        before = last[each.data.symbol]
        assert each.data.score * before.data.score >= 0
        assert abs(each.data.score) <= abs(before.data.score) + 1e-9  # some microseconds older
        assert before.time < each.time < before.time + SECOND
    assert len({(each.data.symbol, each.time) for each in shrunk}) == len(shrunk)
    try:
        plainly, after = await judged(state, side), await judged(changed, side)
    except MissingError:
        return
    assert after.stance * plainly.stance >= 0
    assert abs(after.stance) <= abs(plainly.stance)
    assert after.confidence == plainly.confidence
