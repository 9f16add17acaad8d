"""Two hosts on one namespace and one account: they share the work, and do nothing twice."""

from collections import Counter
from itertools import count
from pathlib import Path
from typing import Any

from shared.agents.registry import STATES, TRADE
from shared.bus.topology import agent_of, topology
from shared.events.envelope import derive_id
from shared.store.cosmos_account import CosmosAccount
from shared.store.cosmos_container import STATE
from tests.e2e.cloud import Cloud, ask, decided, empty_cloud, hold, log_of, quiet, running
from tests.standins.cosmos.server import KEY, CosmosStandIn

MOST_ROUNDS = 20
VOTES_OF_A_TRADE = {
    ("trade.requested", "api"): 1,
    ("consensus.reached", "consensus"): 1,
    **{("opinion.formed", judge): 1 for judge in TRADE.judges},
}


async def test_desk_in_azure_when_two_hosts_live_there_shares_the_work_and_does_it_once(tmp_path: Path) -> None:
    async with empty_cloud() as cloud:
        ports = [cloud.bus.port, await cloud.bus.listen("127.0.0.1", 0)]
        here, there = (cloud.host(tmp_path / f"{port}", port) for port in ports)
        async with running(here) as api, running(there) as other:
            await quiet(api)
            await hold(other)
            await quiet(other)
            begun, trades = done(cloud), list[str]()
            # Who takes a message is chance, and on a busy machine one host may sleep through a few trades.
            for number in count():
                assert number < MOST_ROUNDS, f"one host did nothing: {done(cloud) - begun}"
                trades += await ask(api if number % 2 else other, range(2 * number, 2 * number + 2))
                await decided(api, trades[-2:])
                if set(done(cloud) - begun) == set(ports):
                    break
            await quiet(api)
            log = await log_of(api)
            assert await log_of(other) == log
        receipts = await receipts_of(cloud.cosmos)
    for trade in trades:
        story = [event for event in log.values() if event["stream"] == f"trade-{trade}"]
        assert Counter((event["type"], event["source"]) for event in story) == VOTES_OF_A_TRADE
        assert sum(event["id"] == derive_id(trade, "consensus") for event in story) == 1
    assert receipts == Counter(expected_receipts(log))


def done(cloud: Cloud) -> Counter[int]:
    """Give how many messages of agents were completed through each port; the host at a port did that work."""
    counts = Counter[int]()
    for (port, path), number in cloud.bus.broker.completed.items():
        if path.startswith("events/"):
            counts[port] += number
    return counts


async def receipts_of(cosmos: CosmosStandIn) -> Counter[tuple[str, str]]:
    """Give how often each agent has a receipt for each event."""
    async with CosmosAccount(cosmos.url, KEY) as account:
        rows = await account.rows("audit", STATE, "SELECT c.id FROM c", None)
    parts = (row["id"].split("|") for row in rows)
    return Counter((part[1], part[2]) for part in parts if part[0] == "receipt" and part[1] in STATES)


def expected_receipts(log: dict[str, dict[str, Any]]) -> list[tuple[str, str]]:
    """Give each agent with each event that it wants."""
    return [
        (agent_of(wanting), event["id"])
        for event in log.values()
        for topic in topology().topics
        for wanting in topology().wanting(topic.name, event["type"])
        if agent_of(wanting) in STATES
    ]
