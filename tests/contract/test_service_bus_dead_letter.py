"""Dead letters on Service Bus: listed without a touch, and published again once, whatever fails between."""

from uuid import UUID

import pytest

from shared.bus.port import DeadLetter, next_attempt
from shared.bus.service_bus import ServiceBusEventBus
from shared.bus.service_bus_dead_letter import PAGE
from shared.errors import MissingError, TransientError
from tests.builders import a_message
from tests.contract.event_bus_bench import ANALYST, BARS, LOCK_SECONDS, MOST_DELIVERIES, take
from tests.contract.event_bus_sessions import in_session
from tests.contract.service_bus_bench import Connected
from tests.standins.service_bus.faults import LOCK_LOST, QUOTA
from tests.standins.service_bus.server import ServiceBusStandIn

pytestmark = pytest.mark.asyncio(loop_scope="module")

BURIED = f"{ANALYST}/$DeadLetterQueue"


async def give_up(bus: ServiceBusEventBus, subscription: str = ANALYST) -> None:
    """Abandon the next message until it is a dead letter."""
    for _ in range(MOST_DELIVERIES):
        await bus.abandon(await take(bus, subscription), "boom")


async def a_dead_letter(bus: ServiceBusEventBus) -> DeadLetter:
    """Give a dead letter, the only one."""
    await bus.publish([a_message(attempt=3, body=b"{1}", correlation="story-7")])
    await give_up(bus)
    (letter,) = await bus.dead_letters()
    return letter


async def test_reason_when_the_lock_ran_out_too_often_is_the_services(
    kept: Connected, service: ServiceBusStandIn, bus: ServiceBusEventBus
) -> None:
    await bus.publish([a_message()])
    for _ in range(MOST_DELIVERIES):
        await take(bus, ANALYST)
        kept.times.pass_seconds(LOCK_SECONDS + 1)
    (letter,) = await bus.dead_letters()
    assert letter.reason.startswith("MaxDeliveryCountExceeded: Message could not be consumed after 3")


async def test_dead_letters_when_there_are_many_are_all_listed(
    service: ServiceBusStandIn, bus: ServiceBusEventBus
) -> None:
    count = PAGE + 5
    await bus.publish([a_message(f"{number}") for number in range(count)])
    queue = service.broker.namespace.queue("events/Subscriptions/analyst")
    for _ in range(count):
        delivery = await take(bus, ANALYST)
        queue.bury(UUID(delivery.lock_token), "too bad", "by hand")
    letters = await bus.dead_letters()
    assert [letter.message.message_id for letter in letters] == [f"{number}:0" for number in range(count)]
    assert {letter.reason for letter in letters} == {"too bad: by hand"}


async def test_redriven_letter_comes_again_as_the_next_attempt_with_its_context(
    service: ServiceBusStandIn, bus: ServiceBusEventBus
) -> None:
    letter = await a_dead_letter(bus)
    published = await bus.redrive(letter)
    again = (await take(bus, ANALYST)).message
    assert again == published == a_message(attempt=4, body=b"{1}", correlation="story-7")
    assert await bus.dead_letters() == []


async def test_redriven_letter_when_it_has_a_session_keeps_it(
    service: ServiceBusStandIn, bus: ServiceBusEventBus
) -> None:
    await bus.publish(in_session("s", "bar"))
    await give_up(bus, BARS)
    (letter,) = await bus.dead_letters()
    await bus.redrive(letter)
    assert (await take(bus, BARS)).message.session_id == "s"


async def test_redrive_when_done_twice_publishes_once(service: ServiceBusStandIn, bus: ServiceBusEventBus) -> None:
    letter = await a_dead_letter(bus)
    await bus.redrive(letter)
    with pytest.raises(MissingError, match="it was redriven, or removed"):
        await bus.redrive(letter)
    assert (await bus.backlog())[ANALYST] == 1


async def test_redrive_when_it_broke_off_after_publishing_publishes_once(
    service: ServiceBusStandIn, bus: ServiceBusEventBus
) -> None:
    letter = await a_dead_letter(bus)
    service.fail(BURIED, LOCK_LOST)
    with pytest.raises(MissingError):
        await bus.redrive(letter)
    assert (await bus.backlog())[ANALYST] == 1
    service.lose_locks(BURIED)
    await bus.redrive(letter)
    assert (await bus.backlog())[ANALYST] == 1
    assert await bus.dead_letters() == []


async def test_redrive_when_it_cannot_publish_keeps_the_letter(
    service: ServiceBusStandIn, bus: ServiceBusEventBus
) -> None:
    letter = await a_dead_letter(bus)
    service.fail("events", *[QUOTA] * 3)
    with pytest.raises(TransientError):
        await bus.redrive(letter)
    service.broker.faults.clear()
    assert [each.message for each in await bus.dead_letters()] == [letter.message]
    await bus.redrive(letter)
    assert (await bus.backlog())[ANALYST] == 1


async def test_redriven_letter_when_it_dies_again_is_redriven_again(
    service: ServiceBusStandIn, bus: ServiceBusEventBus
) -> None:
    await bus.redrive(await a_dead_letter(bus))
    await give_up(bus)
    (letter,) = await bus.dead_letters()
    await bus.redrive(letter)
    assert (await take(bus, ANALYST)).message.message_id == "message-1:5"


async def test_redrive_when_others_lie_before_it_leaves_them(
    service: ServiceBusStandIn, bus: ServiceBusEventBus
) -> None:
    await bus.publish([a_message(name) for name in ("a", "b", "c")])
    for _ in range(3):
        await give_up(bus)
    letters = await bus.dead_letters()
    await bus.redrive(letters[1])
    assert [letter.message.message_id for letter in await bus.dead_letters()] == ["a:0", "c:0"]
    await bus.redrive(letters[0])
    await bus.redrive(letters[2])
    assert await bus.dead_letters() == []


@pytest.mark.parametrize(
    ("message_id", "expected"),
    [("event:0", "event:1"), ("event:risk_manager:9", "event:risk_manager:10"), ("foreign", "foreign:1")],
)
async def test_next_attempt_counts_on_for_whom_the_message_concerns(message_id: str, expected: str) -> None:
    assert next_attempt(message_id) == expected
