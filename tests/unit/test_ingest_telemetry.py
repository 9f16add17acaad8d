"""What ingestion tells of failed ticks and of old prices, and that the alerts ask for what is told."""

import json
import re
from typing import get_args

import pytest

from shared.errors import TransientError
from shared.telemetry.port import Counter, Gauge, Histogram
from tests.builders import HOUR
from tests.e2e.process import ROOT
from tests.unit.telemetry_bench import Watched
from tests.unit.test_ingest import Desk, Vendor, closes

QUERIES = {each["name"]: each["query"] for each in json.loads((ROOT / "infra" / "alerts.json").read_text())["queries"]}
OURS = [(name, query) for name, query in QUERIES.items() if "customMetrics" in query]
DIMENSION = r"customDimensions\['([\w.]+)'\]"


async def ticked() -> Watched:
    """Give what was told of a tick that failed and one, an hour after the last close, that worked."""
    desk, telemetry = Desk(Vendor(closes(), trouble=TransientError("429"))), Watched()
    desk.ingest.telemetry = telemetry
    await desk.tick()
    desk.vendor.trouble = None
    await desk.tick()
    await desk.tick(HOUR)
    return telemetry


async def test_tick_when_it_fails_or_works_tells_how_often_and_how_old_prices_are() -> None:
    telemetry = await ticked()
    assert telemetry.values("finagent.tick.failures") == {("market",): 1}
    assert telemetry.values("finagent.data.age") == {("AAPL",): 3_600, ("IBM",): 3_600}


@pytest.mark.parametrize(("alert", "metric"), [("prices", "finagent.data.age"), ("ticks", "finagent.tick.failures")])
async def test_alert_when_it_asks_by_what_names_what_ingestion_tells_by(alert: str, metric: str) -> None:
    assert f"name == '{metric}'" in QUERIES[alert]
    assert set(re.findall(DIMENSION, QUERIES[alert])) == (await ticked()).attributes(metric) != set()


@pytest.mark.parametrize(("name", "query"), OURS)
def test_alert_when_it_asks_for_a_number_of_ours_names_one(name: str, query: str) -> None:
    assert set(re.findall(r"name == '([\w.]+)'", query)) < {*get_args(Counter), *get_args(Gauge), *get_args(Histogram)}
