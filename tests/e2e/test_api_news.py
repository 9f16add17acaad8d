"""News over HTTP: a headline is taken in once."""

from typing import Any

import httpx
import pytest

from tests.e2e.refusal import refused

NEWS: dict[str, Any] = {"headline": "IBM wins a contract", "summary": "A large one.", "symbols": ["IBM"]}


def test_news_when_it_is_submitted_is_an_event(api: httpx.Client) -> None:
    response = api.post("/api/news", json=NEWS)
    event = api.get(response.headers["location"]).json()
    assert response.status_code == 202
    assert event["id"] == response.json()["event"]
    assert event["type"] == "news.received"
    assert {name: event["data"][name] for name in NEWS} == NEWS
    assert event["data"]["origin"] == "api"


def test_news_when_its_content_comes_again_is_the_same_event(api: httpx.Client) -> None:
    news = NEWS | {"headline": "IBM wins it again"}
    assert api.post("/api/news", json=news).json() == api.post("/api/news", json=news).json()


def test_news_when_its_key_comes_again_is_the_same_event(api: httpx.Client) -> None:
    headers = {"Idempotency-Key": "headline"}
    first, again = (api.post("/api/news", json=NEWS, headers=headers) for _ in range(2))
    assert (first.status_code, again.status_code) == (202, 202)
    assert first.json() == again.json()
    assert first.json() != api.post("/api/news", json=NEWS, headers={"Idempotency-Key": "other"}).json()


@pytest.mark.parametrize(
    "changes", [{"headline": "Another"}, {"summary": ""}, {"symbols": []}, {"published_at": "2008-09-01T00:00:00Z"}]
)
def test_news_when_its_key_was_another_s_is_refused(api: httpx.Client, changes: dict[str, Any]) -> None:
    headers = {"Idempotency-Key": "taken"}
    api.post("/api/news", json=NEWS, headers=headers)
    refused(api.post("/api/news", json=NEWS | changes, headers=headers), 409, "idempotency-key")


def test_news_when_it_says_its_time_keeps_it(api: httpx.Client) -> None:
    news = NEWS | {"headline": "IBM, dated", "published_at": "2008-09-10T09:30:00-04:00"}
    event = api.get(api.post("/api/news", json=news).headers["location"]).json()
    assert event["data"]["published_at"] == "2008-09-10T13:30:00Z"
    assert event["time"] > event["data"]["published_at"]
