"""Prices: the table that comes with the program, what is refused of another, and the arithmetic."""

import json
import random
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.costs import PRICES, PriceTable, last_hour
from shared.errors import InvalidError
from shared.ledger.in_memory import InMemoryLedger
from shared.ledger.port import Batch, Entry, Grouping, Sum, Usage, summed, total
from tests.contract.ledger import GROUPINGS, many

TABLE = PriceTable.load(None)


def one(**usage: int) -> list[Sum]:
    """Give a sum of one use."""
    return [Sum("", "", Usage(**usage))]


def changed(folder: Path, *path: str | int, value: object) -> Path:
    """Write the table with another value at a place; None removes it."""
    table: Any = json.loads(PRICES.read_text(encoding="utf-8"))
    place = table
    for step in path[:-1]:
        place = place[step]
    if value is None:
        del place[path[-1]]
    else:
        place[path[-1]] = value
    file = folder / "prices.json"
    file.write_text(json.dumps(table), encoding="utf-8")
    return file


def test_table_when_none_is_named_is_dated_and_says_where_from() -> None:
    lists = (TABLE.cosmos, TABLE.service_bus, TABLE.functions, TABLE.logs, TABLE.models)
    assert TABLE.oldest == min(part.seen for part in lists)
    assert all(part.source.startswith("https://") for part in lists)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("cosmos", "million_request_units"), -1),
        (("cosmos", "million_request_units"), "free"),
        (("cosmos", "seen"), None),
        (("functions", "on_demand", "gb_second"), None),
        (("service_bus", "steps", 0, "up_to_millions"), 200),
        (("service_bus", "steps", 3, "up_to_millions"), 9_999),
        (("service_bus", "steps", 1, "up_to_millions"), None),
        (("models", "per_million_tokens", "gpt-4.1", "output"), -0.1),
        (("currency",), "dollars"),
        (("surprise",), 1),
    ],
)
def test_table_when_malformed_is_refused_by_the_name_of_the_place(
    tmp_path: Path, path: tuple[str | int, ...], value: object
) -> None:
    with pytest.raises(InvalidError, match=f"^FINAGENT_PRICES: .*{path[0]}"):
        PriceTable.load(changed(tmp_path, *path, value=value))


def test_table_when_several_places_are_wrong_names_each(tmp_path: Path) -> None:
    changed(tmp_path, "currency", value="x")
    table = json.loads((tmp_path / "prices.json").read_text(encoding="utf-8")) | {"logs": {}}
    (tmp_path / "prices.json").write_text(json.dumps(table), encoding="utf-8")
    with pytest.raises(InvalidError, match=r"currency: .*logs\.seen: "):
        PriceTable.load(tmp_path / "prices.json")


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"cosmos": NaN}'])
def test_table_when_it_is_no_table_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "prices.json").write_text(text, encoding="utf-8")
    with pytest.raises(InvalidError, match="FINAGENT_PRICES"):
        PriceTable.load(tmp_path / "prices.json")


def test_table_when_there_is_no_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidError, match=r"FINAGENT_PRICES: .*cannot be read"):
        PriceTable.load(tmp_path / "none.json")


def test_price_when_each_unit_is_used_is_that_of_its_list() -> None:
    cost = TABLE.price(
        [
            *one(executions=1_000_000, billed_us=2_000_000_000, milli_units=4_000_000_000, sent=500_000),
            *one(received=300_000, settled=200_000),
            Sum("", "gpt-4.1-mini", Usage(input_tokens=1_000_000, output_tokens=500_000)),
        ]
    )
    assert cost.cosmos == pytest.approx(4 * 0.25)
    assert cost.service_bus == pytest.approx(0.80)
    assert cost.functions == pytest.approx(0.40 + 2_000 * 0.5 * 0.000026)
    assert cost.models == pytest.approx(0.40 + 0.80)
    assert cost.total == pytest.approx(1 + 0.8 + 0.426 + 1.2)


def test_price_when_units_were_not_counted_leaves_them_out() -> None:
    cost = TABLE.price(one(executions=1_000_000), has_units=False)
    assert cost.cosmos is None
    assert cost.total == pytest.approx(0.40)


def test_model_when_the_table_does_not_have_it_is_named() -> None:
    sums = [Sum("", "gpt-99", Usage(input_tokens=5)), Sum("", "gpt-4.1", Usage()), *one()]
    assert TABLE.unpriced(sums) == ["gpt-99"]
    assert TABLE.price(sums).models == 0


@pytest.mark.parametrize(
    ("millions", "price"), [(0, 0), (13, 0), (14, 0.8), (100, 69.6), (101, 70.1), (2_500, 1_269.6), (2_501, 1_269.8)]
)
def test_operations_of_a_month_when_many_are_priced_step_by_step(millions: float, price: float) -> None:
    assert TABLE.service_bus.operations(millions * 1e6) == pytest.approx(price)


def test_month_when_little_is_used_is_the_base_charge() -> None:
    month = TABLE.month(one(executions=250_000, billed_us=200_000_000_000, sent=13_000_000))
    assert month.functions == 0
    assert month.service_bus == pytest.approx(730 * 0.0135)


def test_month_when_more_is_used_charges_what_is_beyond_the_grants() -> None:
    month = TABLE.month(one(executions=1_250_000, billed_us=400_000_000_000))
    assert month.functions == pytest.approx(0.40 + 100_000 * 0.000026)


@given(st.integers(0, 10**6), st.sampled_from(GROUPINGS), st.sampled_from(GROUPINGS))
def test_sums_when_grouped_in_any_way_and_order_are_the_same(seed: int, one: Grouping, other: Grouping) -> None:
    entries: list[Entry] = many(seed)
    shuffled = random.Random(seed).sample(entries, len(entries))
    assert total(summed(entries, one)) == total(summed(shuffled, other))
    whole = TABLE.price(total(summed(entries, one)))
    assert sum(TABLE.price([part]).total for part in summed(entries, other)) == pytest.approx(whole.total)


async def test_last_hour_when_several_processes_worked_is_what_all_spent_since_then(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("shared.costs.wall_seconds", lambda: 7_200.0)
    ledger, entry = InMemoryLedger(), Entry(0, "api", "", "", "", "", "", Usage(billed_us=60_000_000))
    for name, started in (("too old", 3_599), ("of one", 3_600), ("of another", 7_199), ("to come", 7_200)):
        await ledger.add(Batch(name, (entry._replace(started=started * 1_000_000),)))
    price = TABLE.functions.on_demand.gb_second * TABLE.functions.instance_mb / 1_024
    assert await last_hour(ledger, TABLE) == pytest.approx(120 * price)
