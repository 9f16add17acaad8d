"""Memory on a real host: an agent remembers what it concluded, for its owner alone, until the source is revoked."""

import time
from typing import Any

import httpx

from tests.e2e.guarded import Guarded, ask, story

ANALYST = "/api/agents/market_analyst/memory"
PATIENCE_SECONDS = 60


def judged(api: httpx.Client) -> dict[str, Any]:
    """Ask for a trade, and give the market analyst's opinion when it is decided and remembered."""
    asked = ask(api)
    opinions = [event for event in story(api, asked["id"], "consensus.reached") if event["type"] == "opinion.formed"]
    (opinion,) = [event for event in opinions if event["source"] == "market_analyst"]
    ends = time.monotonic() + PATIENCE_SECONDS
    while opinion["id"] not in [each["memory"]["event"] for each in known(api)]:
        assert time.monotonic() < ends, "it was not remembered"
        time.sleep(0.05)
    return opinion


def known(api: httpx.Client, **parameters: str) -> list[dict[str, Any]]:
    """Give what the market analyst remembers."""
    answer = api.get(ANALYST, params=parameters).raise_for_status().json()
    memories: list[dict[str, Any]] = answer["memories"]
    return memories


def test_opinion_when_a_round_is_decided_is_remembered_for_its_owner_and_can_be_revoked(guarded: Guarded) -> None:
    with guarded.client("alice") as alice, guarded.client("bob") as bob:
        opinion = judged(alice)
        before = {each["memory"]["event"] for each in known(alice, as_of=opinion["time"], limit="20")}
        assert opinion["id"] not in before
        assert opinion["id"] not in {each["memory"]["event"] for each in known(bob, limit="20")}
        assert known(alice, q="buy IBM")[0]["similarity"] > 0
        revoked = alice.delete("/api/memory", params={"source": opinion["id"]}).raise_for_status().json()
        assert len(revoked["memories"]) == 1
        assert opinion["id"] not in {each["memory"]["event"] for each in known(alice, limit="20")}
