"""The contract of the event bus over a real namespace or Microsoft's emulator, where one is named.

`SERVICEBUS_CONNECTION` is a connection string with the Manage claim; `SERVICEBUS_ADMINISTRATION_URL` is where an
emulator is administrated, for example `http://localhost:5300`. The contract's topics are made anew for each test.
"""

import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import pytest
from azure.core.exceptions import ResourceNotFoundError
from azure.servicebus.aio.management import ServiceBusAdministrationClient
from azure.servicebus.management import CorrelationRuleFilter

from shared.bus.service_bus import ServiceBusEventBus
from shared.bus.service_bus_administration import administration_client
from shared.bus.service_bus_inbox import SESSION_TURN
from shared.bus.topology import Topic, Topology
from shared.clock import Clock, ManualClock
from tests.contract.event_bus import EventBusContract
from tests.contract.event_bus_bench import Bus, Times

CONNECTION = os.environ.get("SERVICEBUS_CONNECTION", "")
ADMINISTRATION_URL = os.environ.get("SERVICEBUS_ADMINISTRATION_URL")
OURS = "made by the event bus contract"
NEEDS_OTHER_TIME = (
    "test_delivery_when_it_is_the_first_counts_one_and_says_where_from",
    "test_receiver_when_waiting_is_given_what_another_lets_lapse",
    "test_messages_when_met_by_any_fate_end_completed_or_dead_exactly_once",
)


class RunningClock(ManualClock):
    """Wall time, which no test moves."""

    def now(self) -> datetime:
        return datetime.now(UTC)


class RealTimes(Times):
    """The time of a service that nobody can move."""

    def __init__(self) -> None:
        super().__init__()
        self.desk = RunningClock(datetime.now(UTC))

    def pass_seconds(self, seconds: float) -> None:
        pytest.skip("the time of a real namespace cannot be moved")

    def pass_desk_time(self, delta: timedelta) -> None:
        pytest.skip("the time of a real namespace cannot be moved")


if not CONNECTION:
    pytest.skip("SERVICEBUS_CONNECTION is not set: the contract runs on the stand-in alone", allow_module_level=True)


class TestServiceBusAccount(EventBusContract):
    quiet_seconds = 5.0
    pace = 60.0
    longest_turn = SESSION_TURN

    @pytest.fixture(autouse=True)
    def _only_what_real_time_allows(self, request: pytest.FixtureRequest) -> None:
        if request.node.name in NEEDS_OTHER_TIME:
            pytest.skip("it needs a time that it can move")

    def new_times(self) -> Times:
        return RealTimes()

    @asynccontextmanager
    async def opened(self, topology: Topology, clock: Clock, seconds: Callable[[], float]) -> AsyncIterator[Bus]:
        async with administration_client(CONNECTION, None, 30.0, ADMINISTRATION_URL) as administration:
            for topic in topology.topics:
                await make_anew(administration, topology, topic)
        bus = ServiceBusEventBus(CONNECTION, topology, clock, administration_url=ADMINISTRATION_URL)
        try:
            yield bus
        finally:
            await bus.close()


async def make_anew(administration: ServiceBusAdministrationClient, topology: Topology, topic: Topic) -> None:
    """Make a topic and its subscriptions, in place of those of an earlier test, but not of anybody else's."""
    try:
        if (await administration.get_topic(topic.name)).user_metadata != OURS:
            pytest.fail(f"the namespace has a topic {topic.name} that is not of this test: use another namespace")
        await administration.delete_topic(topic.name)
    except ResourceNotFoundError:
        pass
    window = timedelta(seconds=topology.duplicate_detection_seconds)
    await administration.create_topic(
        topic.name,
        requires_duplicate_detection=True,
        duplicate_detection_history_time_window=window,
        user_metadata=OURS,
    )
    for subscription in topic.subscriptions:
        await administration.create_subscription(
            topic.name,
            subscription.name,
            requires_session=topic.requires_session,
            lock_duration=timedelta(seconds=topology.lock_seconds),
            max_delivery_count=topology.max_delivery_count,
        )
        await administration.delete_rule(topic.name, subscription.name, "$Default")
        for subject in subscription.subjects:
            wanted = CorrelationRuleFilter(label=subject)
            await administration.create_rule(topic.name, subscription.name, subject, filter=wanted)
