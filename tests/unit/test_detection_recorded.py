"""The detectors over the real bars of 2000-2013: autumn 2008 is full of alarms, the calm years have hardly any."""

import asyncio
from collections import Counter
from datetime import date

import pytest

from shared.events.envelope import Event
from shared.events.market import Crash, MarketCrashDetected, MarketWhaleDetected
from shared.market.recorded import SYMBOLS
from tests.recording import said_of_the_recording


@pytest.fixture(scope="module")
def said() -> list[Event]:
    return asyncio.run(said_of_the_recording())


def crashes(said: list[Event], first: date, last: date) -> list[Crash]:
    return [e.data for e in said if isinstance(e, MarketCrashDetected) and first <= e.data.closed_at.date() <= last]


def test_crashes_when_it_is_autumn_2008_are_told_of_every_symbol_and_the_market(said: list[Event]) -> None:
    told = crashes(said, date(2008, 9, 1), date(2008, 11, 30))
    assert {each.symbol for each in told} == {*SYMBOLS, "MARKET"}
    assert len(told) >= 20
    on_the_29th = [each for each in told if each.closed_at.date() == date(2008, 9, 29)]
    assert {(each.symbol, each.kind) for each in on_the_29th} >= {
        ("AAPL", "drop"),
        ("GOOG", "drop"),
        ("MSFT", "drop"),
        ("MARKET", "breadth"),
    }


def test_crashes_when_years_are_calm_are_rare(said: list[Event]) -> None:
    told = crashes(said, date(2004, 1, 1), date(2006, 12, 31))
    assert len(told) <= 8
    assert "MARKET" not in {each.symbol for each in told}


def test_whales_when_years_pass_are_a_few_a_year_and_symbol(said: list[Event]) -> None:
    told = Counter(event.data.symbol for event in said if isinstance(event, MarketWhaleDetected))
    assert set(told) == set(SYMBOLS)
    assert all(0.3 < told[symbol] / 13 < 3 for symbol in SYMBOLS)


def test_ids_when_a_bar_has_several_findings_are_all_different(said: list[Event]) -> None:
    assert len({event.id for event in said}) == len(said)
