"""Forecasts over HTTP: as they were known, and what a vote of the oracle can be followed to."""

import httpx

from tests.e2e.refusal import refused

OPENED = "2008-09-11T00:00:00Z"


def test_forecast_when_it_is_read_as_of_then_is_the_event_of_that_day(api: httpx.Client) -> None:
    forecast = api.get("/api/forecasts/IBM", params={"as_of": OPENED}).json()
    assert (forecast["symbol"], forecast["prices_as_of"]) == ("IBM", "2008-09-10T20:00:00Z")
    assert [horizon["days"] for horizon in forecast["horizons"]] == [1, 5, 21]
    event = api.get(f"/api/events/{forecast['event']}").json()
    assert (event["type"], event["time"]) == ("forecast.published", forecast["published_at"])
    (own,) = [each for each in event["data"]["forecasts"] if each["symbol"] == "IBM"]
    assert own.items() <= forecast.items()
    assert api.get(f"/api/events/{forecast['evidence'][0]}").json()["type"] == "market.data.received"
    bars = api.get("/api/bars/IBM", params={"as_of": OPENED}).json()["bars"]
    assert (bars[-1]["close"], len(bars) - 1) == (forecast["close"], forecast["model"]["observations"])


def test_forecast_when_days_go_by_follows_them(api: httpx.Client) -> None:
    then = api.get("/api/forecasts/AAPL", params={"as_of": "2008-09-10T19:59:59Z"}).json()
    assert then["prices_as_of"] == then["published_at"] == "2008-09-09T20:00:00Z"
    assert api.get("/api/forecasts/AAPL").json()["prices_as_of"] >= "2008-09-10T20:00:00Z"


def test_forecast_when_history_was_too_short_is_not_there(api: httpx.Client) -> None:
    refused(api.get("/api/forecasts/AAPL", params={"as_of": "2008-01-02T00:00:00Z"}), 404)


def test_forecast_when_nobody_follows_the_symbol_is_not_there(api: httpx.Client) -> None:
    refused(api.get("/api/forecasts/ZZZ"), 404)


def test_forecast_when_the_moment_is_no_time_is_refused(api: httpx.Client) -> None:
    refused(api.get("/api/forecasts/AAPL", params={"as_of": "yesterday"}), 422)
