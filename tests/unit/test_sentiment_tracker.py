"""The sentiment tracker: headlines age, count once, in whatever order they come, and no news is no opinion."""

from collections.abc import Iterable
from datetime import datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.agents import sentiment_tracker
from shared.agents.opinion import Judgment
from shared.agents.own_state import OwnState
from shared.agents.sentiment_tracker import (
    HEADLINES_KEPT,
    STREAM,
    SentimentDeps,
    SentimentState,
    judge_trade,
    on_news_received,
)
from shared.errors import InvalidError, MissingError
from shared.events.envelope import Event
from shared.events.news import NewsReceived, RegulationChanged, Sentiment, SentimentScored
from shared.quant import sentiment
from shared.store.in_memory import InMemoryEventStore
from shared.store.port import Commit
from tests.builders import CLOSE, DAY, HOUR, MINUTE, SECOND, a_headline, a_trade_request, altered

GOOD, BAD = "Apple's profit soars and beats every estimate", "Apple's profit plunges and misses every estimate"
MARKET_BAD = "Stocks plunge as profits miss every estimate"
HALF_LIFE = 72 * HOUR


def tone(headline: str) -> float:
    return sentiment.score(f"{headline}.").value


async def read(*events: NewsReceived) -> tuple[list[SentimentScored], SentimentState]:
    """Give what the tracker says on headlines, and its state, which is written and read in between."""
    said, state, deps = list[SentimentScored](), SentimentState(), deps_with(InMemoryEventStore())
    for event in events:
        decision = await on_news_received(event, state, deps)
        assert decision.state is not None
        state = SentimentState.model_validate_json(decision.state.model_dump_json())
        said += [emit.event for emit in decision.emits if isinstance(emit.event, SentimentScored)]
    return said, state


async def last_said(*events: NewsReceived) -> Sentiment:
    said, _ = await read(*events)
    return said[-1].data


async def judged(events: Iterable[NewsReceived], later: timedelta = timedelta(), **trade: object) -> Judgment:
    """Give the judgment on a trade some time after `CLOSE`, when those headlines have been handled."""
    _, state = await read(*events)
    store = InMemoryEventStore()
    await store.commit(Commit("sentiment_tracker", STREAM, "e", state.model_dump_json().encode(), None, ()))
    request = a_trade_request(**{"time": CLOSE + later, **trade})  # type: ignore[arg-type]
    return await judge_trade(request, deps_with(store))


def published(event: NewsReceived, at: datetime) -> NewsReceived:
    """Give a headline that the desk was told of at the event's time, and that is of another."""
    return altered(event, data=event.data.model_copy(update={"published_at": at}))


def deps_with(store: InMemoryEventStore) -> SentimentDeps:
    return SentimentDeps(OwnState(store, sentiment_tracker.NAME, SentimentState))


async def test_headline_when_it_comes_is_scored_for_each_symbol() -> None:
    event = a_headline(GOOD, symbols=("AAPL", "IBM"))
    said, state = await read(event)
    assert [scored.data.symbol for scored in said] == ["AAPL", "IBM"] == list(state.headlines)
    assert len({scored.id for scored in said}) == 2
    for scored in said:
        assert (scored.time, scored.stream, scored.causationid) == (CLOSE, "news", event.id)
        assert (scored.data.score, scored.data.weight, scored.data.confidence) == (tone(GOOD), 1, 1 / 3)
        assert [(part.event, part.headline) for part in scored.data.headlines] == [(event.id, GOOD)]


async def test_headline_when_it_has_a_summary_is_scored_with_it() -> None:
    scored = await last_said(a_headline("Apple reports", summary="Profit plunges and misses every estimate."))
    assert scored.score == sentiment.score("Apple reports. Profit plunges and misses every estimate.").value
    assert scored.score < tone("Apple reports")


async def test_headline_when_vendor_links_nothing_concerns_what_it_names() -> None:
    said, state = await read(a_headline(GOOD, symbols=()))
    assert [scored.data.symbol for scored in said] == ["AAPL"] == list(state.headlines)


async def test_headline_when_vendor_links_symbols_keeps_them() -> None:
    said, _ = await read(a_headline(GOOD, symbols=("IBM",)))
    assert [(scored.data.symbol, scored.data.weight) for scored in said] == [("IBM", 1)]


@pytest.mark.parametrize("symbols", [(), ("AAPL", "GOOG")])
async def test_headline_when_it_names_two_counts_less_for_the_second(symbols: tuple[str, ...]) -> None:
    said, _ = await read(a_headline("Google sues Apple", symbols=symbols))
    assert {scored.data.symbol: scored.data.weight for scored in said} == {"GOOG": 1, "AAPL": 0.5}
    assert {scored.data.score for scored in said} == {tone("Google sues Apple")}
    judgment = await judged([a_headline("Google sues Apple", symbols=symbols)], HALF_LIFE)
    assert judgment.confidence == pytest.approx(0.25 / 3)


async def test_headline_when_it_names_a_rival_first_moves_the_score_less_than_own_news() -> None:
    scored = await last_said(a_headline(GOOD), a_headline("Google beats Apple", symbols=("AAPL",)))
    assert scored.score == pytest.approx((tone(GOOD) + 0.5 * tone("Google beats Apple")) / 1.5)


async def test_headline_when_it_names_a_symbol_twice_counts_once() -> None:
    said, _ = await read(a_headline(GOOD, symbols=("AAPL", "AAPL")))
    assert [scored.data.weight for scored in said] == [1]


@pytest.mark.parametrize("half_lives", [0, 1, 2, 3])
async def test_headline_when_half_lives_pass_weighs_half_each_time(half_lives: int) -> None:
    judgment = await judged([a_headline(GOOD)], half_lives * HALF_LIFE)
    assert judgment.confidence == pytest.approx(0.5**half_lives / 3)
    assert judgment.stance == pytest.approx(tone(GOOD))


async def test_headlines_when_of_different_age_are_weighed_by_it() -> None:
    scored = await last_said(a_headline(BAD, time=CLOSE - HALF_LIFE), a_headline(GOOD))
    assert scored.score == pytest.approx((tone(GOOD) + 0.5 * tone(BAD)) / 1.5)
    assert (scored.weight, scored.confidence) == (1.5, 0.5)
    assert [part.weight for part in scored.headlines] == [0.5, 1]


async def test_headline_when_it_was_published_long_before_it_came_is_as_old_as_that() -> None:
    late = published(a_headline(GOOD), CLOSE - HALF_LIFE)
    assert (await last_said(late)).weight == 0.5
    assert (await judged([late], HALF_LIFE)).confidence == pytest.approx(0.25 / 3)
    with pytest.raises(MissingError, match="no recent news"):
        await judged([published(a_headline(GOOD), CLOSE - 8 * 365 * DAY)])


async def test_headline_when_it_came_after_the_trade_is_not_seen_however_old_it_is() -> None:
    with pytest.raises(MissingError, match="no recent news"):
        await judged([published(a_headline(GOOD), CLOSE - DAY)], -SECOND)


async def test_headline_when_it_says_to_be_of_the_future_is_of_now() -> None:
    assert (await last_said(published(a_headline(GOOD), CLOSE + DAY))).weight == 1
    assert (await judged([published(a_headline(GOOD), CLOSE + DAY)], HALF_LIFE)).confidence == pytest.approx(0.5 / 3)


async def test_headlines_when_old_ones_come_do_not_push_out_the_young() -> None:
    old = [published(a_headline(f"{BAD} {n}", time=CLOSE + HOUR), CLOSE - 20 * DAY) for n in range(HEADLINES_KEPT)]
    assert (await judged([a_headline(GOOD), *old], DAY)).stance == pytest.approx(tone(GOOD))


async def test_headlines_when_many_are_fresh_make_full_confidence() -> None:
    scored = await last_said(*[a_headline(f"{GOOD} {n}", time=CLOSE + n * SECOND) for n in range(5)])
    assert scored.weight == pytest.approx(5, rel=1e-4)
    assert scored.confidence == 1


async def test_headline_when_it_comes_twice_counts_once() -> None:
    once, twice = (
        await read(a_headline(GOOD), a_headline(BAD)),
        await read(a_headline(GOOD), a_headline(BAD), a_headline(GOOD)),
    )
    assert twice[1] == once[1]
    assert twice[0][-1].data == once[0][-1].data


async def test_headlines_when_more_come_than_are_kept_push_the_oldest_out() -> None:
    events = [a_headline(f"{GOOD} {n}", time=CLOSE + n * HOUR) for n in range(HEADLINES_KEPT + 3)]
    said, state = await read(*events)
    assert [headline.event for headline in state.headlines["AAPL"]] == [event.id for event in events[3:]]
    assert len(said[-1].data.headlines) == HEADLINES_KEPT


async def test_headlines_when_they_are_too_old_to_count_are_forgotten_for_every_symbol() -> None:
    old = [a_headline(GOOD, symbols=(symbol,)) for symbol in ("AAPL", "IBM")]
    _, state = await read(*old, a_headline(BAD, symbols=("MSFT",), time=CLOSE + 15 * DAY))
    assert sorted(state.headlines) == ["AAPL", "IBM", "MSFT"]
    _, state = await read(*old, a_headline(BAD, symbols=("MSFT",), time=CLOSE + 17 * DAY))
    assert sorted(state.headlines) == ["MSFT"]


async def test_headline_when_it_comes_late_is_scored_as_of_its_time() -> None:
    newer = [a_headline(f"{GOOD} {n}", time=CLOSE + (n + 1) * HOUR) for n in range(HEADLINES_KEPT)]
    late = a_headline(BAD)
    scored = await last_said(*newer, late)
    assert [(part.event, part.weight) for part in scored.headlines] == [(late.id, 1)]


TIMES = st.lists(st.integers(0, 3_000), min_size=2, max_size=12).flatmap(st.permutations)


@given(TIMES)
@settings(max_examples=40, deadline=None)
async def test_headlines_when_they_come_in_any_order_leave_the_same_state(hours: list[int]) -> None:
    symbols: tuple[tuple[str, ...], ...] = (("AAPL",), ("IBM",), ())
    # Minutes of ties, and half an hour to half a year apart.
    events = [
        published(
            a_headline(f"{GOOD} {n}", symbols=symbols[n % 3], time=CLOSE + hour // 2 * HOUR),
            CLOSE + hour // 2 * HOUR - n % 4 * 5 * DAY,
        )
        for n, hour in enumerate(hours)
    ]
    _, expected = await read(*sorted(events, key=lambda event: (event.time, event.id)))
    _, found = await read(*events)
    assert found == expected


async def test_news_when_it_names_no_symbol_concerns_the_whole_market() -> None:
    said, state = await read(a_headline(MARKET_BAD, symbols=()))
    assert [scored.data.symbol for scored in said] == ["MARKET"] == list(state.headlines)
    judgment = await judged([a_headline(MARKET_BAD, symbols=())], symbol="IBM")
    assert judgment.stance == pytest.approx(tone(MARKET_BAD))
    assert judgment.confidence == pytest.approx(0.3 / 3)


async def test_judgment_when_symbol_and_market_have_news_counts_the_market_less() -> None:
    judgment = await judged([a_headline(GOOD), a_headline(MARKET_BAD, symbols=())])
    assert judgment.stance == pytest.approx((tone(GOOD) + 0.3 * tone(MARKET_BAD)) / 1.3)
    assert judgment.confidence == pytest.approx(1 / 3)


async def test_judgment_when_selling_is_the_opposite_of_buying() -> None:
    events = [a_headline(GOOD)]
    buy, sell = await judged(events), await judged(events, side="sell")
    assert buy.stance == -sell.stance > 0.3
    assert buy.confidence == sell.confidence
    assert (await judged([a_headline(BAD)])).stance < -0.3


async def test_judgment_when_made_names_its_headlines() -> None:
    events = [a_headline(f"{GOOD} {n}", time=CLOSE + n * MINUTE) for n in range(4)]
    market = a_headline(MARKET_BAD, symbols=())
    judgment = await judged([*events, market], DAY)
    shown = [(entry.event, entry.value) for entry in judgment.evidence]
    assert shown == [(event.id, event.data.headline) for event in (*events[1:], market)]
    assert judgment.veto is None


@pytest.mark.parametrize(
    ("events", "later"),
    [
        ([], timedelta()),
        ([a_headline(GOOD, symbols=("IBM",))], timedelta()),
        ([a_headline(GOOD)], 13 * DAY),
        ([a_headline(GOOD, symbols=())], 13 * DAY),
        ([a_headline(GOOD)], -SECOND),
    ],
    ids=["none", "another symbol's", "stale", "stale on the market", "not published yet"],
)
async def test_judgment_when_there_is_no_recent_news_is_missing(events: list[NewsReceived], later: timedelta) -> None:
    with pytest.raises(MissingError, match="no recent news on AAPL"):
        await judged(events, later)


async def test_judgment_when_news_is_almost_stale_is_still_made() -> None:
    assert (await judged([a_headline(GOOD)], 12 * DAY + 22 * HOUR)).confidence == pytest.approx(0.05 / 3, rel=0.02)


async def test_judgment_when_there_is_later_news_does_not_see_it() -> None:
    now, canary = (
        a_headline(GOOD),
        [a_headline(BAD, time=CLOSE + n * SECOND, symbols=s) for n, s in ((1, ()), (2, ("AAPL",)))],
    )
    assert await judged([now, *canary]) == await judged([now])


async def test_judgment_when_the_snapshot_cannot_be_read_is_given_up() -> None:
    store = InMemoryEventStore()
    await store.commit(Commit("sentiment_tracker", STREAM, "e", b'{"headlines": 7}', None, ()))
    with pytest.raises(InvalidError, match="snapshot of sentiment_tracker"):
        await judge_trade(a_trade_request(), deps_with(store))


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0)])
async def test_headline_when_several_vendors_have_it_counts_once_as_of_the_first(order: tuple[int, ...]) -> None:
    copies = [
        published(a_headline(GOOD.upper(), vendor_id="b"), CLOSE - HOUR),
        a_headline(GOOD, vendor_id="a"),
        a_headline(f"{GOOD}!", vendor_id="c"),
    ]
    said, state = await read(*(copies[place] for place in order))
    assert [each.event for each in state.headlines["AAPL"]] == [copies[0].id]
    assert said[-1].data.weight == pytest.approx(0.5 ** (1 / 72))
    assert len(said) == 1 or order[0] != 0


async def test_headline_when_an_authority_acts_tells_of_it_once() -> None:
    first = a_headline("SEC sues Apple", vendor_id="a")
    copy = a_headline("SEC sues Apple", vendor_id="b", time=CLOSE + HOUR)
    deps, state, changes = deps_with(InMemoryEventStore()), SentimentState(), list[Event]()
    for event in (first, copy):
        decision = await on_news_received(event, state, deps)
        state = decision.state or state
        changes += [emit.event for emit in decision.emits if isinstance(emit.event, RegulationChanged)]
    [change] = changes
    assert (change.causationid, change.stream, change.time) == (first.id, "news", CLOSE)
    assert (change.data.authority, change.data.action, change.data.symbols) == ("SEC", "sue", ("AAPL",))
    assert change.data.news == first.id


async def test_headline_when_an_authority_acts_on_a_named_company_tells_its_symbol() -> None:
    decision = await on_news_received(
        a_headline("SEC sues Apple", symbols=()), SentimentState(), deps_with(InMemoryEventStore())
    )
    [change] = [emit.event for emit in decision.emits if isinstance(emit.event, RegulationChanged)]
    assert change.data.symbols == ("AAPL",)


HOSTILE = st.one_of(
    st.text(min_size=1, max_size=400),
    st.lists(
        st.sampled_from(["$AAPL", "IBM", "profit soars ", "\x00", "\u202e", "📈", "<b>", "'; DROP", "{0}", " "])
    ).map(lambda parts: "x" + "".join(parts)[:400]),
)


@given(HOSTILE, st.text(max_size=400))
@settings(max_examples=100, deadline=None)
async def test_headline_when_its_text_is_anything_only_moves_scores(text: str, summary: str) -> None:
    calm = a_headline("Annual meeting set for May", symbols=("MSFT",))
    said, state = await read(calm, a_headline(text, summary=summary, symbols=("IBM",)))
    assert {scored.data.symbol for scored in said} == {"MSFT", "IBM"} == set(state.headlines)
    assert all(-1 <= scored.data.score <= 1 and scored.data.weight <= 1 for scored in said)
    assert state.headlines["MSFT"] == (await read(calm))[1].headlines["MSFT"]
    judgment = await judged([a_headline(text, summary=summary, symbols=("AAPL",))])
    assert -1 <= judgment.stance <= 1
    assert judgment.veto is None
    assert judgment.confidence <= 1 / 3
