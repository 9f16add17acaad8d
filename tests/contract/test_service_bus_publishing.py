"""Publishing to Service Bus: what is sent, how often, and what becomes of it when something fails on the way."""

import asyncio
import sys

import pytest

from shared.bus.port import Message
from shared.bus.service_bus import ServiceBusEventBus
from shared.clock import WallClock
from shared.errors import InvalidError, TransientError
from tests.builders import HOUR, SECOND, a_message, a_topic, a_topology
from tests.contract.event_bus_bench import ANALYST, BARS, CHARTS, RISK, TOPOLOGY, take, take_id
from tests.contract.event_bus_concurrency import cancel
from tests.contract.event_bus_sessions import in_session
from tests.contract.service_bus_bench import Connected, connected
from tests.standins.service_bus.faults import BUSY, QUOTA, Delayed, Doubled, LostAck, Refused, Reset, Slow, Through
from tests.standins.service_bus.message import AmqpMessage
from tests.standins.service_bus.server import ServiceBusStandIn

pytestmark = pytest.mark.asyncio(loop_scope="module")

MAX_BYTES = 256 * 1024


def large(name: str, size: int = 100_000) -> Message:
    """Give a message of which two fit into a batch."""
    return a_message(name, body=b"x" * size)


def arrived(service: ServiceBusStandIn, subscription: str = "analyst", topic: str = "events") -> list[AmqpMessage]:
    """Give what the service holds for a subscription, in order."""
    return [entry.message for entry in service.broker.namespace.queue(f"{topic}/Subscriptions/{subscription}")]


def names(service: ServiceBusStandIn) -> list[str]:
    return [str(message.id).removesuffix(":0") for message in arrived(service)]


async def test_message_when_sent_says_what_it_is(service: ServiceBusStandIn, bus: ServiceBusEventBus) -> None:
    await bus.publish([a_message(body=b"{}", correlation="story-7", session="ignored"), *in_session("aapl", "bar")])
    (message,), (bar,) = arrived(service), arrived(service, "bars", "market")
    id, _, _, subject, _, correlation, content_type = (message.properties[index] for index in range(7))
    assert (id, subject, correlation) == ("message-1:0", "trade.requested", "story-7")
    assert content_type == "application/cloudevents+json"
    assert (message.session, bar.session) == (None, "aapl")


async def test_publish_when_a_hundred_overlap_sends_a_hundred(
    service: ServiceBusStandIn, bus: ServiceBusEventBus
) -> None:
    before = service.broker.namespace.topic("events").published
    await asyncio.gather(*(bus.publish([a_message(f"{number}")]) for number in range(100)))
    # Not what the subscription holds: duplicate detection would hide what was sent twice.
    assert service.broker.namespace.topic("events").published - before == 100
    assert sorted(names(service), key=int) == [f"{number}" for number in range(100)]


async def test_publish_when_the_acknowledgement_is_lost_leaves_one_message(
    service: ServiceBusStandIn, bus: ServiceBusEventBus
) -> None:
    before = service.broker.namespace.topic("events").published
    service.fail("events", LostAck())
    await bus.publish([a_message()])
    await bus.publish([a_message()])
    assert service.broker.namespace.topic("events").published - before == 3
    assert await bus.backlog() == {ANALYST: 1, RISK: 1, BARS: 0, CHARTS: 0}


@pytest.mark.parametrize("fault", [Reset(), LostAck(), BUSY, Refused("com.microsoft:timeout")], ids=str)
async def test_batches_when_one_fails_once_arrive_whole_and_in_order(
    service: ServiceBusStandIn, bus: ServiceBusEventBus, fault: Reset | LostAck | Refused
) -> None:
    service.fail("events", Through(), fault)
    await bus.publish([large(f"{number}") for number in range(6)])
    assert names(service) == [f"{number}" for number in range(6)]


@pytest.mark.parametrize("fault", [Reset(), LostAck(), BUSY, QUOTA], ids=str)
async def test_publish_when_it_fails_for_long_is_worth_another_try(
    service: ServiceBusStandIn, bus: ServiceBusEventBus, fault: Reset | LostAck | Refused
) -> None:
    service.fail("events", Through(), *[fault] * 3)
    messages = [large(f"{number}") for number in range(4)]
    with pytest.raises(TransientError, match="events"):
        await bus.publish(messages)
    service.broker.faults.clear()
    await bus.publish(messages)
    assert names(service) == ["0", "1", "2", "3"]


async def test_publish_when_the_service_is_silent_gives_up_in_time(service: ServiceBusStandIn) -> None:
    async with connected(service, TOPOLOGY, WallClock(), timeout_seconds=1.5) as bus:
        await bus.publish([a_message("opens")])
        service.fail("events", *[Slow(60)] * 3)
        with pytest.raises(TransientError):
            await bus.publish([a_message("late")])
        await bus.publish([a_message("late")])
    assert names(service) == ["opens", "late"]


async def test_publish_when_connections_were_cut_meanwhile_connects_again(
    service: ServiceBusStandIn, bus: ServiceBusEventBus
) -> None:
    await bus.publish([a_message("before")])
    service.reset_connections()
    await bus.publish([a_message("after")])
    assert names(service) == ["before", "after"]


async def test_publish_when_a_message_is_too_large_sends_its_neighbours(
    service: ServiceBusStandIn, bus: ServiceBusEventBus
) -> None:
    messages = [a_message("before"), large("huge", MAX_BYTES), a_message("after")]
    with pytest.raises(InvalidError, match=r"too large for topic events: huge:0 \(262144 bytes\)"):
        await bus.publish(messages)
    assert names(service) == ["before", "after"]


async def test_publish_when_all_fit_into_one_batch_sends_one(
    service: ServiceBusStandIn, bus: ServiceBusEventBus
) -> None:
    # The fault would meet the second transfer.
    service.fail("events", Through(), QUOTA)
    await bus.publish([a_message(f"{number}") for number in range(50)])
    assert len(names(service)) == 50


async def test_message_when_nobody_wants_it_costs_nothing(service: ServiceBusStandIn, bus: ServiceBusEventBus) -> None:
    before = service.broker.namespace.topic("events").published
    await bus.publish([a_message(subject="news.received"), a_message()])
    assert service.broker.namespace.topic("events").published - before == 1


async def test_publish_when_the_caller_gives_up_still_sends(
    service: ServiceBusStandIn, bus: ServiceBusEventBus
) -> None:
    service.fail("events", Slow(0.05))
    publishing = asyncio.create_task(bus.publish([a_message()]))
    await asyncio.sleep(0)
    await cancel(publishing)
    await bus.publish([a_message("next")])
    assert names(service) == ["message-1", "next"]


async def test_message_when_the_service_doubles_it_comes_twice_as_itself(
    service: ServiceBusStandIn, bus: ServiceBusEventBus
) -> None:
    service.fail("events", Doubled())
    await bus.publish([a_message()])
    first, second = await take(bus, ANALYST), await take(bus, ANALYST)
    assert (first.message, first.sequence) == (second.message, second.sequence)
    assert first.lock_token != second.lock_token


async def test_message_when_the_service_delays_it_comes_after_later_ones(
    kept: Connected, service: ServiceBusStandIn, bus: ServiceBusEventBus
) -> None:
    service.fail("events", Delayed(30))
    await bus.publish([a_message("delayed")])
    await bus.publish([a_message("punctual")])
    assert await take_id(bus, ANALYST) == "punctual"
    kept.times.pass_seconds(30)
    assert await take_id(bus, ANALYST) == "delayed"


async def test_scheduled_message_when_desk_time_runs_fast_is_due_in_wall_time(
    kept: Connected, service: ServiceBusStandIn
) -> None:
    now = kept.times.desk.now()
    kept.times.desk.pace = 3_600.0
    try:
        await kept.bus.publish([a_message("hour", deliver_at=now + HOUR), a_message("past", deliver_at=now - HOUR)])
    finally:
        kept.times.desk.pace = 1.0
    assert [message.scheduled_at for message in arrived(service)] == [now.timestamp()]
    kept.times.pass_desk_time(SECOND)
    assert [await take_id(kept.bus, ANALYST) for _ in range(2)] == ["past", "hour"]


async def test_publish_when_the_topic_does_not_exist_says_so(service: ServiceBusStandIn) -> None:
    topology = a_topology(a_topic("elsewhere", anybody=["trade.requested"]))
    async with connected(service, topology, WallClock()) as bus:
        with pytest.raises(InvalidError, match="topic elsewhere: it does not exist"):
            await bus.publish([a_message(topic="elsewhere")])
        with pytest.raises(InvalidError, match="elsewhere"):
            await bus.backlog()


async def test_publish_when_nobody_answers_is_worth_another_try(unused_tcp_port: int) -> None:
    service = ServiceBusStandIn(TOPOLOGY, port=unused_tcp_port)
    async with connected(service, TOPOLOGY, WallClock()) as bus:
        with pytest.raises(TransientError):
            await bus.publish([a_message()])
        with pytest.raises(TransientError):
            await bus.backlog()
        async with service:
            await bus.publish([a_message()])
            assert (await bus.backlog())[ANALYST] == 1


async def test_bus_when_its_key_is_wrong_says_so(service: ServiceBusStandIn) -> None:
    wrong = service.connection_string_with("d3Jvbmc=")
    async with connected(service, TOPOLOGY, WallClock(), connection=wrong) as bus:
        with pytest.raises(InvalidError, match="refuses the identity or the key"):
            await bus.publish([a_message()])
        with pytest.raises(InvalidError, match="refuses the identity or the key"):
            await bus.receive(ANALYST)
        with pytest.raises(InvalidError, match="refuses the identity or the key"):
            await bus.backlog()


@pytest.mark.parametrize("connection", ["Endpoint=sb://x", "Endpoint=;SharedAccessKeyName=a;SharedAccessKey=b"])
async def test_bus_when_its_connection_string_is_malformed_says_so(connection: str) -> None:
    bus = ServiceBusEventBus(connection, TOPOLOGY, WallClock())
    with pytest.raises(InvalidError, match="connection"):
        await bus.publish([a_message()])


async def test_bus_when_it_is_only_made_loads_no_azure_package() -> None:
    program = (
        "import sys; from shared.bus.service_bus import ServiceBusEventBus; from shared.bus.topology import topology;"
        "from shared.clock import WallClock; ServiceBusEventBus('x.servicebus.windows.net', topology(), WallClock());"
        "print([name for name in sys.modules if name.startswith('azure')])"
    )
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", program, stdout=asyncio.subprocess.PIPE)
    printed, _ = await process.communicate()
    assert printed.decode().strip() == "[]"
