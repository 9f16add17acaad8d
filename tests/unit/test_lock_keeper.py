import asyncio

from local.lock_keeper import LockKeeper
from shared.bus.port import Delivery
from tests.unit.pump_bench import LOCK_SECONDS, Bench, messages


async def _ignore(message: object) -> None:
    """Never runs here."""


async def _held() -> tuple[Bench, LockKeeper, Delivery]:
    bench = Bench(_ignore)
    await bench.bus.publish(messages(1))
    return bench, LockKeeper(bench.bus, LOCK_SECONDS, 60), await bench.bus.receive("events/agent")


async def test_lock_when_dropped_runs_out() -> None:
    bench, keeper, delivery = await _held()
    keeper.hold(delivery)
    keeper.drop(delivery)
    async with asyncio.timeout(20):
        assert (await bench.bus.receive("events/agent")).delivery_count == 2


async def test_lock_when_held_after_a_time_without_any_is_renewed_as_the_first_was() -> None:
    bench, keeper, delivery = await _held()
    keeper.hold(delivery)
    keeper.drop(delivery)
    await bench.bus.complete(delivery)
    await asyncio.sleep(LOCK_SECONDS)
    await bench.bus.publish(messages(2))
    delivery = await bench.bus.receive("events/agent")
    keeper.hold(delivery)
    await asyncio.sleep(2 * LOCK_SECONDS)
    await bench.bus.complete(delivery)


async def test_lock_when_lost_does_not_keep_others_from_being_renewed() -> None:
    bench, keeper, settled = await _held()
    await bench.bus.publish(messages(2))
    delivery = await bench.bus.receive("events/agent")
    keeper.hold(settled)
    keeper.hold(delivery)
    await bench.bus.complete(settled)
    await asyncio.sleep(2 * LOCK_SECONDS)
    await bench.bus.complete(delivery)
