"""The calculator: its arithmetic, what it refuses, and that the documentation says what the command says."""

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
from typer.testing import CliRunner

from local.cli import app
from local.cost_command import described
from shared.calculator import BARS_A_DAY, DAYS, DESKS, TRADING_DAYS, Kind, Measured, Plan, estimate, limits, savings
from shared.costs import HOURS_OF_MONTH, PriceTable

PRICES, MEASURED = PriceTable.load(None), Measured.load()
KINDS = MEASURED.kinds
IDLE = Plan(symbols=1, interval="1d", trades=0, pages=0, hours=0, tick_seconds=3_600)
DOC = Path(__file__).parents[2] / "docs" / "operations.md"


def ask(*words: str) -> tuple[int, str]:
    """Run the command, and give its exit code and what it printed."""
    ran = CliRunner().invoke(app, ["cost", *words])
    return ran.exit_code, ran.output


@pytest.mark.parametrize("desk", DESKS)
def test_documentation_when_it_shows_a_desk_says_what_the_command_says(desk: str) -> None:
    told = described(estimate(DESKS[desk], KINDS, PRICES), MEASURED, PRICES)
    assert f"$ finagent cost --desk {desk}\n{told}\n```" in DOC.read_text()
    assert ask("--desk", desk) == (0, f"{told}\n")


def test_prices_when_a_table_is_named_are_its(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FINAGENT_PRICES", str(tmp_path / "none.json"))
    code, said = ask()
    assert code != 0
    assert "none.json" in said


def test_event_when_its_size_was_measured_is_what_was_measured() -> None:
    for size, measured in ((4, KINDS.event_of_4_bars), (50, KINDS.event_of_50_bars)):
        assert KINDS.event(size).model_dump() == pytest.approx(measured.model_dump())


def test_bars_when_symbols_fill_two_events_and_a_half_are_those_events() -> None:
    parts = estimate(replace(IDLE, symbols=125, interval="1h"), KINDS, PRICES).parts
    expected = KINDS.event(50).times(2).plus(KINDS.event(25)).times(BARS_A_DAY["1h"] * TRADING_DAYS)
    assert parts["bars"].model_dump() == pytest.approx(expected.model_dump())


def test_poll_when_it_is_always_open_bills_an_instance_all_the_time() -> None:
    found = estimate(replace(IDLE, pages=16, hours=24), KINDS, PRICES)
    expected = HOURS_OF_MONTH * 3_600 * 0.5 * PRICES.functions.on_demand.gb_second
    assert found.poll_cost == pytest.approx(expected)
    assert 34 < found.poll_cost < 35
    assert estimate(replace(IDLE, pages=17, hours=24), KINDS, PRICES).poll_cost == pytest.approx(2 * expected)


def test_timers_when_they_tick_are_billed_a_second_each() -> None:
    part = estimate(replace(IDLE, tick_seconds=15), KINDS, PRICES).parts["timers"]
    assert part.executions == part.billed_seconds == pytest.approx(DAYS * 86_400 * (3 / 15 + 2 / 60))


def test_tokens_when_none_are_named_cost_nothing_and_else_what_the_table_says() -> None:
    assert estimate(IDLE, KINDS, PRICES).cost.models == 0
    talks = replace(IDLE, trades=10, model="gpt-4o-mini", input_tokens=1_000, output_tokens=500)
    price = PRICES.models.per_million_tokens["gpt-4o-mini"]
    expected = 10 * TRADING_DAYS * (1_000 * price.input + 500 * price.output) / 1e6
    assert estimate(talks, KINDS, PRICES).cost.models == pytest.approx(expected)


def test_bill_when_a_desk_idles_is_the_base_charge_and_little_more() -> None:
    base = HOURS_OF_MONTH * PRICES.service_bus.base_hour
    assert base <= estimate(IDLE, KINDS, PRICES).total < base + 1


@pytest.mark.parametrize("desk", DESKS)
def test_savings_when_they_are_named_are_the_difference_and_the_largest_first(desk: str) -> None:
    found = list(savings(DESKS[desk], KINDS, PRICES))
    assert all(earlier[1] >= later[1] > 0 for earlier, later in pairwise(found))
    halved = replace(DESKS["firm"], trades=250)
    spared = estimate(DESKS["firm"], KINDS, PRICES).total - estimate(halved, KINDS, PRICES).total
    assert dict(savings(DESKS["firm"], KINDS, PRICES))["half the trades"] == pytest.approx(spared)


def test_limits_when_symbols_double_are_nearer() -> None:
    some, more = (limits(replace(DESKS["firm"], symbols=count), KINDS) for count in (100, 2_000))
    assert some[0] != more[0]
    assert some[1] != more[1]


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (("--interval", "2m"), "--interval: '2m' is none of 1m"),
        (("--symbols", "0", "--hours", "25"), "--symbols: 0 is not between 1 and 10,000; --hours: 25"),
        (("--trades", "many"), "--trades: 'many' is no number"),
        (("--trades", "nan"), "--trades: 'nan' is not a finite number"),
        (("--trades", "-1/day"), "--trades: -1 is not between"),
        (("--memory-mb", "1024"), "--memory-mb: an instance has"),
        (("--desk", "bank"), "--desk: 'bank' is none of hobby"),
        (("--input-tokens", "9"), "--model: '' has no price"),
        (("--hours", "nan"), "--hours: nan is not between"),
    ],
)
def test_command_when_something_is_wrong_says_what(words: tuple[str, ...], complaint: str) -> None:
    code, told = ask(*words)
    assert code == 2
    assert complaint in told


def test_command_when_all_is_said_takes_it() -> None:
    code, told = ask("--symbols", "100", "--interval", "1m", "--trades", "500/day")
    assert code == 0
    assert told.startswith("100 symbols, bars of 1m, 500 trades a trading day")
    assert ask("--symbols", "100", "--interval", "1m", "--trades", "500") == (code, told)


def test_work_when_it_is_multiplied_and_added_is_each_number() -> None:
    kind = Kind(request_units=1, operations=2, executions=3, billed_seconds=4, stored_kb=5)
    assert kind.times(2).plus(kind) == kind.times(3)
