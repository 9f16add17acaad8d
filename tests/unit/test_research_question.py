"""What a question is understood to be about: symbols, portfolios, trades, topics and a stretch of time."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.agents.research_question import MOST_NAMED, Known, Understood, understand
from shared.events.question import LONGEST_QUESTION

NOW = datetime(2008, 10, 15, 14, 30, tzinfo=UTC)
DESK = Known(("AAPL", "GOOG", "IBM", "MSFT"), ("main", "retirement.2040"))
FRAGMENTS = ["IBM", "since", "last", "9999", "days", "in", "1999-12-31", "2099", "2008-02-30", "$", "may", "\x00"]
TRADE = "3d28d52a-0915-5644-b051-033518329843"


def read(text: str, now: datetime = NOW) -> Understood:
    return understand(text, now, DESK)


def day(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "symbols"),
    [
        ("Why did Apple fall?", ("AAPL",)),
        ("MSFT against IBM", ("IBM", "MSFT")),
        ("$GOOG or NASDAQ: AAPL?", ("GOOG", "AAPL")),
        ("A recipe for apple pie", ()),
        ("IBMX, xIBM and IBM2", ()),
    ],
)
def test_symbols_when_a_question_names_them_are_those_the_desk_follows(text: str, symbols: tuple[str, ...]) -> None:
    assert sorted(read(text).symbols) == sorted(symbols)


def test_symbol_when_the_desk_does_not_follow_it_is_a_gap() -> None:
    named, shaped = read("What of $TSLA?"), read("What will TSLA do?")
    assert (named.symbols, named.unknown, named.gaps) == ((), ("TSLA",), ("The desk does not follow TSLA.",))
    assert shaped.gaps == ("The desk does not follow TSLA, if that is a symbol.",)
    assert read("SHALL IBM RISE SOON?").gaps == ()


@pytest.mark.parametrize(
    ("text", "topics"),
    [
        ("How risky is IBM?", ("risk",)),
        ("Any headlines on the crash?", ("news", "crash")),
        ("Why was the trade rejected?", ("decision",)),
        ("Should I hedge with options, or rebalance?", ("rebalance", "options")),
        ("How will IBM do?", ("forecast",)),
        ("How does IBM do next week?", ("forecast",)),
        ("How accurate is the oracle?", ("forecast", "record")),
        ("Does the SEC act? What volumes are traded?", ("volume", "regulation")),
        ("Tell me of IBM", ()),
    ],
)
def test_topics_when_a_question_has_their_words_are_found(text: str, topics: tuple[str, ...]) -> None:
    assert read(text).topics == topics


def test_names_when_a_question_has_them_are_only_those_that_are_known() -> None:
    found = read(f"Is main, or retirement.2040. riskier than other, and why {TRADE.upper()}, not {TRADE}0?")
    assert found.portfolios == ("main", "retirement.2040")
    assert found.trades == (TRADE,)
    assert read(f"Why g{TRADE[1:]}?").trades == ()
    many = " ".join(f"{n:08x}-0915-5644-b051-033518329843" for n in range(9))
    assert len(read(many).trades) == MOST_NAMED


@pytest.mark.parametrize(
    ("text", "since", "until"),
    [
        ("", None, NOW),
        ("the last 3 days", NOW - timedelta(days=3), NOW),
        ("past 2 weeks", NOW - timedelta(days=14), NOW),
        ("LAST  Month", NOW - timedelta(days=30), NOW),
        ("today", day("2008-10-15"), NOW),
        ("yesterday", day("2008-10-14"), day("2008-10-15")),
        ("since 2008-09-01", day("2008-09-01"), NOW),
        ("from 2008-09-01 to 2008-09-05", day("2008-09-01"), day("2008-09-06")),
        ("before 2008-09-05", None, day("2008-09-06")),
        ("on 2008-09-29", day("2008-09-29"), day("2008-09-30")),
        ("in September 2008", day("2008-09-01"), day("2008-10-01")),
        ("in dec 2007", day("2007-12-01"), day("2008-01-01")),
        ("since sep 2008", day("2008-09-01"), NOW),
        ("in 2007", day("2007-01-01"), day("2008-01-01")),
        ("in 2008", day("2008-01-01"), NOW),
        ("the market 2008", None, NOW),
    ],
)
def test_period_when_a_question_names_one_ends_with_the_question(
    text: str, since: datetime | None, until: datetime
) -> None:
    found = read(f"What of IBM {text}?").period
    assert (found.since, found.until, found.gaps) == (since, until, ())


@pytest.mark.parametrize(
    ("text", "gap"),
    [
        ("since 2008-02-31", "No such date: 2008-02-31."),
        ("in 2015", "What happens after 2008-10-15 14:30 UTC is not known."),
        ("until 2009-01-01", "What happens after 2008-10-15 14:30 UTC is not known."),
        ("next year", "Forecasts reach 21 trading days ahead and no further."),
        ("next 3 months", "Forecasts reach 21 trading days ahead and no further."),
    ],
)
def test_period_when_the_desk_cannot_tell_of_it_is_a_gap(text: str, gap: str) -> None:
    found = read(f"What of IBM {text}?")
    assert found.gaps == (gap,)
    assert found.period.until == NOW


def test_period_when_it_lies_ahead_is_empty() -> None:
    assert read("IBM in 2015").period.is_empty
    assert not read("IBM in 2007").period.is_empty


@given(
    st.text(max_size=2 * LONGEST_QUESTION)
    | st.lists(
        st.sampled_from(
            [
                *["IBM", "since", "last", "9999", "days", "in", "1999-12-31", "2099", "2008-02-30", "$", "may", "\x00"],
                TRADE,
            ]
        ),
        max_size=60,
    ).map(" ".join),
    st.datetimes(datetime(1900, 1, 1), datetime(8000, 12, 31), timezones=st.just(UTC)),
)
def test_question_when_it_is_anything_is_read_within_bounds(text: str, now: datetime) -> None:
    found = read(text, now)
    assert found.period.until <= now
    assert set(found.symbols) <= set(DESK.symbols)
    assert set(found.portfolios) <= set(DESK.portfolios)
    assert max(map(len, (found.symbols, found.portfolios, found.trades))) <= MOST_NAMED
    assert read(text, now) == found
