"""The Service Bus stand-in as Microsoft's SDK sees it: what the bus of the desk does not use, and what it relies on."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
import pytest_asyncio
from azure.servicebus import NEXT_AVAILABLE_SESSION, ServiceBusMessage, ServiceBusReceiveMode, ServiceBusSubQueue
from azure.servicebus.aio import ServiceBusClient, ServiceBusReceiver
from azure.servicebus.exceptions import (
    MessageLockLostError,
    OperationTimeoutError,
    ServiceBusError,
    SessionCannotBeLockedError,
)

from tests.contract.event_bus_bench import ANALYST, BARS, TOPOLOGY
from tests.contract.service_bus_bench import OneTime
from tests.standins.service_bus.server import ServiceBusStandIn

pytestmark = pytest.mark.asyncio(loop_scope="module")

TIMES = OneTime()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running() -> AsyncIterator[tuple[ServiceBusStandIn, ServiceBusClient]]:
    async with (
        ServiceBusStandIn(TOPOLOGY, TIMES.seconds) as service,
        ServiceBusClient.from_connection_string(service.connection_string, retry_total=0) as client,
    ):
        yield service, client


@pytest.fixture
def service(running: tuple[ServiceBusStandIn, ServiceBusClient]) -> ServiceBusStandIn:
    """Give the service, emptied and well ahead of the wall, with which the SDK compares the ends of locks."""
    TIMES.pass_seconds(3_600)
    running[0].clear()
    return running[0]


@pytest.fixture
def client(running: tuple[ServiceBusStandIn, ServiceBusClient]) -> ServiceBusClient:
    return running[1]


def a_sent(id: str, session: str | None = None) -> ServiceBusMessage:
    subject = "trade.requested" if session is None else "market.data.received"
    return ServiceBusMessage(id.encode(), message_id=f"{id}:{TIMES.seconds()}", subject=subject, session_id=session)


async def send(client: ServiceBusClient, *messages: ServiceBusMessage, topic: str = "events") -> None:
    """Send on a sender of its own."""
    TIMES.pass_seconds(1)
    async with client.get_topic_sender(topic) as sender:
        await sender.send_messages(list(messages), timeout=5)


async def bodies(receiver: ServiceBusReceiver, count: int) -> list[str]:
    """Receive messages, and leave them locked."""
    return [str(message) for message in await receiver.receive_messages(count, 5)]


async def test_credit_when_two_are_asked_for_locks_two_of_five(
    service: ServiceBusStandIn, client: ServiceBusClient
) -> None:
    await send(client, *map(a_sent, "abcde"))
    async with client.get_subscription_receiver("events", "analyst") as receiver:
        assert await bodies(receiver, 2) == ["a", "b"]
        assert service.locked(ANALYST) == 2


async def test_messages_when_prefetched_and_not_taken_are_given_back_uncounted(
    service: ServiceBusStandIn, client: ServiceBusClient
) -> None:
    await send(client, *map(a_sent, "abc"))
    async with client.get_subscription_receiver("events", "analyst", prefetch_count=10) as receiver:
        assert await bodies(receiver, 1) == ["a"]
        await service.until(lambda: service.locked(ANALYST) == 3)
    async with client.get_subscription_receiver("events", "analyst") as receiver:
        messages = await receiver.receive_messages(2, 5)
        assert [(str(message), message.delivery_count) for message in messages] == [("b", 0), ("c", 0)]


async def test_message_when_deferred_is_given_only_by_its_number(
    service: ServiceBusStandIn, client: ServiceBusClient
) -> None:
    await send(client, a_sent("a"), a_sent("b"))
    async with client.get_subscription_receiver("events", "analyst") as receiver:
        (message,) = await receiver.receive_messages(1, 5)
        assert message.sequence_number
        await receiver.defer_message(message)
        assert await bodies(receiver, 1) == ["b"]
        (deferred,) = await receiver.receive_deferred_messages(message.sequence_number, timeout=5)
        await receiver.complete_message(deferred)
        with pytest.raises(ServiceBusError, match="message-not-found"):
            await receiver.receive_deferred_messages(message.sequence_number, timeout=5)


async def test_message_when_dead_lettered_says_why(service: ServiceBusStandIn, client: ServiceBusClient) -> None:
    await send(client, a_sent("a"))
    async with client.get_subscription_receiver("events", "analyst") as receiver:
        (message,) = await receiver.receive_messages(1, 5)
        await receiver.dead_letter_message(message, reason="bad", error_description="it is bad")
    buried = ServiceBusSubQueue.DEAD_LETTER
    async with client.get_subscription_receiver("events", "analyst", sub_queue=buried) as receiver:
        (dead,) = await receiver.receive_messages(1, 5)
        assert (str(dead), dead.dead_letter_reason, dead.dead_letter_error_description) == ("a", "bad", "it is bad")
        await receiver.complete_message(dead)
        assert await receiver.peek_messages(1, timeout=5) == []


async def test_messages_when_peeked_stay_as_they_are(service: ServiceBusStandIn, client: ServiceBusClient) -> None:
    await send(client, *map(a_sent, "abcd"))
    async with client.get_subscription_receiver("events", "analyst") as receiver:
        pages = [await receiver.peek_messages(3, timeout=5) for _ in range(2)]
        assert [[str(message) for message in page] for page in pages] == [["a", "b", "c"], ["d"]]
        assert service.locked(ANALYST) == 0
        assert await bodies(receiver, 1) == ["a"]


async def test_message_when_received_and_deleted_is_gone(service: ServiceBusStandIn, client: ServiceBusClient) -> None:
    await send(client, a_sent("a"))
    mode = ServiceBusReceiveMode.RECEIVE_AND_DELETE
    async with client.get_subscription_receiver("events", "analyst", receive_mode=mode) as receiver:
        assert await bodies(receiver, 1) == ["a"]
        assert await receiver.peek_messages(1, timeout=5) == []


async def test_lock_when_renewed_ends_a_lock_duration_from_now(
    service: ServiceBusStandIn, client: ServiceBusClient
) -> None:
    await send(client, a_sent("a"))
    async with client.get_subscription_receiver("events", "analyst") as receiver:
        (message,) = await receiver.receive_messages(1, 5)
        TIMES.pass_seconds(40)
        assert await receiver.renew_message_lock(message) == TIMES.desk.now() + timedelta(seconds=60)
        service.lose_locks(ANALYST)
        with pytest.raises(MessageLockLostError):
            await receiver.renew_message_lock(message)


async def test_messages_when_scheduled_by_request_can_be_cancelled(
    service: ServiceBusStandIn, client: ServiceBusClient
) -> None:
    due = TIMES.desk.now() + timedelta(minutes=1)
    async with client.get_topic_sender("events") as sender:
        numbers = await sender.schedule_messages([a_sent("a"), a_sent("b")], due, timeout=5)
        await sender.cancel_scheduled_messages(numbers[0], timeout=5)
        with pytest.raises(ServiceBusError, match="message-not-found"):
            await sender.cancel_scheduled_messages(numbers[0], timeout=5)
    TIMES.pass_seconds(60)
    async with client.get_subscription_receiver("events", "analyst") as receiver:
        assert await bodies(receiver, 5) == ["b"]


async def test_session_when_held_by_name_is_closed_to_others(
    service: ServiceBusStandIn, client: ServiceBusClient
) -> None:
    await send(client, a_sent("a", "s"), a_sent("b", "t"), topic="market")
    async with client.get_subscription_receiver("market", "bars", session_id="t") as receiver:
        assert await bodies(receiver, 5) == ["b"]
        with pytest.raises(SessionCannotBeLockedError):
            async with client.get_subscription_receiver("market", "bars", session_id="t"):
                pass
    async with client.get_subscription_receiver("market", "bars", session_id="t") as receiver:
        assert await bodies(receiver, 5) == ["b"]


async def test_sessions_when_any_is_asked_for_are_given_those_with_messages(
    service: ServiceBusStandIn, client: ServiceBusClient
) -> None:
    await send(client, a_sent("a", "s"), a_sent("b", "t"), topic="market")
    held = []
    for _ in range(2):
        receiver = client.get_subscription_receiver("market", "bars", session_id=NEXT_AVAILABLE_SESSION)
        await receiver.__aenter__()
        held.append(receiver)
    assert sorted(receiver.session.session_id for receiver in held) == ["s", "t"]
    none_left = client.get_subscription_receiver("market", "bars", session_id=NEXT_AVAILABLE_SESSION, max_wait_time=0.5)
    with pytest.raises(OperationTimeoutError):
        await none_left.__aenter__()
    await asyncio.gather(*(receiver.close() for receiver in (*held, none_left)))


async def test_session_when_its_state_is_set_remembers_it_and_holds_its_lock_when_renewed(
    service: ServiceBusStandIn, client: ServiceBusClient
) -> None:
    await send(client, a_sent("a", "s"), topic="market")
    async with client.get_subscription_receiver("market", "bars", session_id="s") as receiver:
        assert await receiver.session.get_state(timeout=5) is None
        await receiver.session.set_state(b"so far", timeout=5)
        assert await receiver.session.get_state(timeout=5) == b"so far"
        TIMES.pass_seconds(40)
        await receiver.session.renew_lock(timeout=5)
        TIMES.pass_seconds(40)
        (message,) = await receiver.receive_messages(1, 5)
        await receiver.complete_message(message)
    assert service.broker.namespace.queue("market/Subscriptions/bars").active == 0


async def test_session_when_its_lock_runs_out_counts_a_delivery_and_when_closed_does_not(
    service: ServiceBusStandIn, client: ServiceBusClient
) -> None:
    await send(client, a_sent("a", "s"), topic="market")
    for expected, lapses in ((0, False), (0, True), (1, False)):
        async with client.get_subscription_receiver("market", "bars", session_id="s") as receiver:
            (message,) = await receiver.receive_messages(1, 5)
            assert message.delivery_count == expected
            if lapses:
                service.lose_locks(BARS)


async def test_message_when_it_has_no_session_and_the_topic_wants_one_is_refused(
    service: ServiceBusStandIn, client: ServiceBusClient
) -> None:
    with pytest.raises(ServiceBusError, match="requires a session id"):
        await send(client, a_sent("a"), topic="market")


async def test_subscription_when_it_wants_sessions_refuses_a_receiver_without(
    service: ServiceBusStandIn, client: ServiceBusClient
) -> None:
    with pytest.raises(ServiceBusError, match="requires sessions"):
        async with client.get_subscription_receiver("market", "bars"):
            pass


@pytest.mark.parametrize("garbage", [b"GET / HTTP/1.0\r\n\r\n", b"AMQP\x03\x01\x00\x00\xff\xff\xff\xff", b"short"])
async def test_service_when_a_client_talks_garbage_goes_on(
    service: ServiceBusStandIn, client: ServiceBusClient, garbage: bytes
) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", service.port)
    writer.write(garbage)
    writer.write_eof()
    await reader.read()
    writer.close()
    await send(client, a_sent("a"))
    async with client.get_subscription_receiver("events", "analyst") as receiver:
        assert await bodies(receiver, 1) == ["a"]
