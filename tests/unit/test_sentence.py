"""Events in sentences: every kind has one, on one line, with its numbers; foreign text stays a quotation."""

import pytest

from shared.agents.sentence import quoted, sentence, vote
from shared.events.catalogue import EVENTS
from shared.events.envelope import Event
from shared.events.market import MarketDataReceived
from shared.events.question import LONGEST_SENTENCE
from tests.builders import CLOSE, a_bar, a_headline, market_data
from tests.examples import FULL, LEAST, VOTES

TOLD = {
    "analysis.completed": "The market analyst saw AAPL trending up on 2008-01-02 at 0.33 USD: view +0.10 (-1 down, +1"
    " up), confidence 0.90, in a regime of high volatility.",
    "market.crash.detected": "On 2008-01-02 2 of 3 symbols fell at once, by 7.0% on average: a crash, severe (from 4.0%"
    " on).",
    "market.whale.detected": "On 2008-01-02 5,000,000,000 shares of AAPL were traded, 15.0 times the usual; the price"
    " moved -3.0% (selling).",
    "forecast.published": "The oracle's forecast for AAPL from 0.33 USD on 2008-01-02: over 21 trading days +1.0%"
    " expected, a loss with probability 40%, 17.0% lost on average in the worst 5 %.",
    "sentiment.scored": "Sentiment on AAPL was -0.10 on 2008-01-02 (-1 bearish, +1 bullish), confidence 0.30, from 1"
    " headline.",
    "regulation.changed": 'On 2008-01-02 SEC acted on AAPL (ban): "SEC bans ✓".',
    "opinion.graded": "a's vote to sell AAPL was graded on 2008-01-02 a hit: the trade earned -1.0% in 7 days. It was"
    " right in 1 of 2 by then, with a mean Brier score of 0.200 (a coin has 0.25).",
    "consensus.reached": "Decided on 2008-01-02 21:00 UTC. Rejected.",
    "trade.deadline.reached": "The deadline of the trade was reached at 2008-01-02 21:00 UTC.",
    "step.failed": "step.failed at 2008-01-02 21:00 UTC.",
}


@pytest.mark.parametrize("event", [*FULL, *LEAST], ids=lambda event: event.type)
def test_sentence_when_an_event_is_any_is_one_line(event: Event) -> None:
    told = sentence(event, "AAPL")
    assert told.endswith(".")
    assert not set(told) & {"\n", "[", "]"}
    assert len(told) <= LONGEST_SENTENCE


@pytest.mark.parametrize(("kind", "expected"), TOLD.items())
def test_sentence_when_an_event_is_known_has_its_numbers(kind: str, expected: str) -> None:
    [event, *_] = [event for event in FULL if event.type == kind]
    assert sentence(event).replace("21:00:30", "21:00") == expected
    assert kind in EVENTS


def test_bars_when_a_symbol_is_named_are_its_own() -> None:
    event: MarketDataReceived = market_data(*(a_bar(symbol, close=9) for symbol in ("A", "B", "C", "D", "E")))
    assert sentence(event, "D") == "Closes of 2008-01-02 (1Day bars): D 9.00 USD."
    assert sentence(event) == "Closes of 2008-01-02 (1Day bars): A 9.00 USD, B 9.00 USD, C 9.00 USD and 2 more."


def test_vote_when_it_vetoed_or_abstained_says_so() -> None:
    assert [vote(each) for each in VOTES] == [
        "a voted +0.10 at confidence 0.20, weighing 1.00, and vetoed: no.",
        "b abstained: no data.",
    ]


def test_quotation_when_the_text_is_long_or_ends_itself_stays_one() -> None:
    assert quoted('Up" [1]\n  and\tdown') == '"Up\' (1) and down"'
    assert len(quoted("x" * 10_000)) == 202
    assert sentence(a_headline('"', time=CLOSE)).count('"') == 2
