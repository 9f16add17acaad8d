"""Receiving from Service Bus: locks, sessions and several hosts, and what becomes of them when something fails."""

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from shared.bus.port import Delivery
from shared.bus.service_bus import ServiceBusEventBus
from shared.clock import WallClock
from shared.errors import InvalidError, MissingError
from tests.builders import a_message, a_topic, a_topology
from tests.contract.event_bus_bench import ANALYST, BARS, LOCK_SECONDS, RISK, TOPOLOGY, name_of, take, take_id
from tests.contract.event_bus_concurrency import cancel
from tests.contract.event_bus_sessions import in_session
from tests.contract.service_bus_bench import Connected, connected
from tests.standins.service_bus.faults import BUSY, LOCK_LOST, LostAck, Reset
from tests.standins.service_bus.server import ServiceBusStandIn

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(loop_scope="module")
async def other(service: ServiceBusStandIn) -> AsyncIterator[ServiceBusEventBus]:
    """Give the bus of another host on the same service."""
    async with connected(service, TOPOLOGY, WallClock()) as bus:
        yield bus


def left(service: ServiceBusStandIn) -> int:
    """Give how many messages the analyst's subscription still holds."""
    return service.broker.namespace.queue("events/Subscriptions/analyst").active


async def test_lock_when_the_service_loses_it_settles_nothing(
    service: ServiceBusStandIn, bus: ServiceBusEventBus
) -> None:
    await bus.publish([a_message()])
    held = await take(bus, ANALYST)
    service.lose_locks(ANALYST)
    with pytest.raises(MissingError, match="message-1:0 in events/analyst"):
        await bus.complete(held)
    assert (await take(bus, ANALYST)).delivery_count == 2


async def test_lock_when_the_service_says_that_it_is_lost_is_lost(
    service: ServiceBusStandIn, bus: ServiceBusEventBus
) -> None:
    await bus.publish([a_message()])
    service.fail(ANALYST, LOCK_LOST)
    with pytest.raises(MissingError, match="message-1:0 in events/analyst"):
        await bus.complete(await take(bus, ANALYST))


@pytest.mark.parametrize("fault", [Reset(), BUSY], ids=str)
async def test_completion_when_it_fails_once_is_done(
    service: ServiceBusStandIn, bus: ServiceBusEventBus, fault: Reset
) -> None:
    await bus.publish([a_message()])
    held = await take(bus, ANALYST)
    service.fail(ANALYST, fault)
    await bus.complete(held)
    assert left(service) == 0


async def test_completion_when_its_acknowledgement_is_lost_was_done(
    service: ServiceBusStandIn, bus: ServiceBusEventBus
) -> None:
    await bus.publish([a_message(), a_message("next")])
    held = await take(bus, ANALYST)
    service.fail(ANALYST, LostAck())
    with pytest.raises(MissingError):
        await bus.complete(held)
    assert await take_id(bus, ANALYST) == "next"


async def test_lock_when_renewed_after_the_connection_was_cut_is_held(
    kept: Connected, service: ServiceBusStandIn, bus: ServiceBusEventBus
) -> None:
    await bus.publish([a_message()])
    held = await take(bus, ANALYST)
    service.reset_connections()
    kept.times.pass_seconds(LOCK_SECONDS - 1)
    await bus.renew(held)
    kept.times.pass_seconds(LOCK_SECONDS - 1)
    await bus.complete(held)
    assert left(service) == 0


@pytest.mark.parametrize("subscription", [ANALYST, BARS])
async def test_receiver_when_connections_are_cut_while_it_waits_goes_on(
    service: ServiceBusStandIn, bus: ServiceBusEventBus, subscription: str
) -> None:
    waiting = asyncio.create_task(bus.receive(subscription))
    await service.until(lambda: service.waiting(subscription))
    service.reset_connections()
    await bus.publish([a_message("a"), *in_session("s", "a")])
    async with asyncio.timeout(20):
        assert name_of(await waiting) == "a"


async def test_receiver_when_connections_are_cut_while_a_message_is_held_goes_on(
    service: ServiceBusStandIn, bus: ServiceBusEventBus
) -> None:
    await bus.publish([a_message("held")])
    held = await take(bus, ANALYST)
    waiting = asyncio.create_task(bus.receive(ANALYST))
    await service.until(lambda: service.waiting(ANALYST))
    service.reset_connections()
    await bus.publish([a_message("next")])
    async with asyncio.timeout(20):
        assert name_of(await waiting) == "next"
    await bus.complete(held)
    assert left(service) == 1


async def test_session_when_the_connection_is_cut_gives_the_message_again_uncounted(
    service: ServiceBusStandIn, bus: ServiceBusEventBus
) -> None:
    await bus.publish(in_session("s", "a", "b"))
    held = await take(bus, BARS)
    service.reset_connections()
    with pytest.raises(MissingError):
        await bus.complete(held)
    again = await take(bus, BARS)
    assert (name_of(again), again.delivery_count) == ("a", 1)


async def test_session_when_its_lock_is_lost_while_it_idles_does_no_harm(
    service: ServiceBusStandIn, bus: ServiceBusEventBus
) -> None:
    await bus.publish(in_session("s", "a", "b"))
    await bus.complete(await take(bus, BARS))
    service.lose_locks(BARS)
    assert await take_id(bus, BARS) == "b"


async def test_session_when_it_has_run_dry_is_free_for_another_host(
    service: ServiceBusStandIn, bus: ServiceBusEventBus, other: ServiceBusEventBus
) -> None:
    await bus.publish(in_session("s", "a"))
    await bus.complete(await take(bus, BARS))
    await bus.publish(in_session("s", "b"))
    assert await take_id(other, BARS) == "b"


async def test_session_when_its_host_stops_is_free_for_another_at_once(
    service: ServiceBusStandIn, bus: ServiceBusEventBus
) -> None:
    async with connected(service, TOPOLOGY, WallClock()) as stopping:
        await bus.publish(in_session("s", "a", "b"))
        await take(stopping, BARS)
    again = await take(bus, BARS)
    assert (name_of(again), again.delivery_count) == ("a", 1)


async def test_message_when_nobody_waited_until_its_lock_ran_out_comes_again(
    kept: Connected, service: ServiceBusStandIn, bus: ServiceBusEventBus
) -> None:
    waiting = asyncio.create_task(bus.receive(ANALYST))
    await service.until(lambda: service.waiting(ANALYST))
    await cancel(waiting)
    await bus.publish([a_message()])
    await service.until(lambda: service.locked(ANALYST))
    kept.times.pass_seconds(LOCK_SECONDS + 1)
    again = await take(bus, ANALYST)
    await bus.complete(again)
    assert again.delivery_count == 2


async def test_hosts_when_two_share_a_subscription_share_its_messages(
    service: ServiceBusStandIn, bus: ServiceBusEventBus, other: ServiceBusEventBus
) -> None:
    done: dict[str, list[str]] = {"bus": [], "other": []}
    both = asyncio.Event()

    async def work(name: str, receiver: ServiceBusEventBus) -> None:
        while True:
            delivery: Delivery = await receiver.receive(ANALYST)
            await receiver.complete(delivery)
            done[name].append(name_of(delivery))
            if all(done.values()) and sum(map(len, done.values())) >= 60:
                both.set()

    hosts = [asyncio.create_task(work("bus", bus)), asyncio.create_task(work("other", other))]
    await service.until(lambda: len(service.waiting(ANALYST)) == 2)
    await bus.publish([a_message(f"{number}") for number in range(60)])
    async with asyncio.timeout(20):
        await both.wait()
    for host in hosts:
        await cancel(host)
    assert sorted(done["bus"] + done["other"], key=int) == [f"{number}" for number in range(60)]


async def test_receive_when_the_subscription_does_not_exist_says_so(service: ServiceBusStandIn) -> None:
    topology = a_topology(a_topic("events", nobody=["trade.requested"]))
    async with connected(service, topology, WallClock()) as bus:
        with pytest.raises(InvalidError, match="events/nobody: it does not exist"):
            await bus.receive("events/nobody")
        with pytest.raises(InvalidError, match="no subscription events/nobody"):
            await bus.backlog()


async def test_receive_when_the_subscription_wants_sessions_and_the_topology_does_not_says_so(
    service: ServiceBusStandIn,
) -> None:
    topology = a_topology(a_topic("market", bars=["market.data.received"]))
    async with connected(service, topology, WallClock()) as bus:
        with pytest.raises(InvalidError, match="requires sessions"):
            await bus.receive(BARS)


async def test_abandonment_when_its_reason_is_long_is_cut(service: ServiceBusStandIn, bus: ServiceBusEventBus) -> None:
    await bus.publish([a_message(subject="portfolio.changed")])
    for _ in range(3):
        await bus.abandon(await take(bus, RISK), "é" * 5_000)
    (letter,) = await bus.dead_letters()
    assert letter.reason == "é" * 1_000
