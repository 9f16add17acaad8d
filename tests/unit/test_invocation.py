import asyncio
import logging
from collections.abc import Iterator

import azure.functions as func
import pytest

from local import invocation
from local.invocation import LOG_FORMAT, InvocationFilter, InvocationThreads
from local.registration import registrations
from tests.unit.pump_bench import Bench, messages, settled

logger = logging.getLogger("shared.story")


class Log(logging.Handler):
    """Keeps the records that come through, as a host's console shows them."""

    def __init__(self) -> None:
        super().__init__()
        self.addFilter(InvocationFilter())
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a record."""
        self.records.append(record)

    def ids(self, text: str) -> set[tuple[str, str]]:
        """Give function and id of the records that say so."""
        return {
            (record.__dict__["function_name"], record.__dict__["invocation_id"])
            for record in self.records
            if text in record.getMessage()
        }


@pytest.fixture
def log() -> Iterator[Log]:
    handler, root = Log(), logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    yield handler
    root.removeHandler(handler)
    root.setLevel(level)


def test_record_when_there_is_no_invocation_says_nothing_of_one(log: Log) -> None:
    logger.info("started")
    assert log.ids("started") == {("", "")}
    assert logging.Formatter(LOG_FORMAT).format(log.records[-1]).endswith(" INFO shared.story: started")


def test_record_when_it_is_shown_names_function_and_id(log: Log) -> None:
    with invocation.invocation("risk_manager") as invocation_id:
        logger.info("weighed")
    logger.info("done")
    assert log.ids("done") == {("", "")}
    shown = logging.Formatter(LOG_FORMAT).format(log.records[0])
    assert shown.endswith(f" INFO shared.story [risk_manager {invocation_id}]: weighed")


async def test_records_when_invocations_run_at_once_carry_their_own_wherever_they_are_made(log: Log) -> None:
    asyncio.get_running_loop().set_default_executor(InvocationThreads())
    ids: dict[str, str] = {}
    everybody = asyncio.Barrier(3)

    async def agent(message: func.ServiceBusMessage, context: func.Context) -> None:
        name = str(message.message_id)
        ids[name] = context.invocation_id
        await everybody.wait()
        logger.info("%s itself", name)
        await asyncio.create_task(_say("%s in a task", name))
        await asyncio.to_thread(logger.info, "%s in a thread", name)
        await asyncio.get_running_loop().run_in_executor(None, logger.info, "%s in the executor", name)

    async with Bench(agent).running() as bus:
        await bus.publish(messages(1, 2, 3))
        await settled(bus)
    assert len(set(ids.values())) == 3
    for name, invocation_id in ids.items():
        assert len([record for record in log.records if name in record.getMessage()]) == 4
        assert log.ids(name) == {("agent", invocation_id)}


async def test_record_when_a_function_is_synchronous_carries_its_invocation(log: Log) -> None:
    ids = []

    def agent(message: func.ServiceBusMessage, context: func.Context) -> None:
        ids.append(context.invocation_id)
        logger.info("from a thread")

    async with Bench(agent).running() as bus:
        await bus.publish(messages(1))
        await settled(bus)
    assert log.ids("from a thread") == {("agent", ids[0])}


async def test_record_when_a_function_fails_carries_its_invocation(log: Log) -> None:
    ids = set()

    async def agent(message: func.ServiceBusMessage, context: func.Context) -> None:
        ids.add(("agent", context.invocation_id))
        raise ValueError("not today")

    async with Bench(agent).running() as bus:
        await bus.publish(messages(1))
        await settled(bus)
    assert len(ids) == 3
    assert log.ids("agent failed on message event-1:0") == ids


async def test_record_when_it_has_an_event_keeps_it(log: Log) -> None:
    with invocation.invocation("risk_manager"):
        logger.info("weighed", extra={"event": "trade-1"})
    assert log.records[-1].__dict__["event"] == "trade-1"


async def test_invocation_when_registered_is_told_to_the_function() -> None:
    app = func.FunctionApp()

    @app.function_name("tell")
    @app.timer_trigger(arg_name="timer", schedule="0 * * * * *")
    async def tell(timer: func.TimerRequest, context: func.Context) -> tuple[str, str]:
        """Say who was called."""
        return context.function_name, context.invocation_id

    (registered,) = registrations(app, {})
    with invocation.invocation("tell") as invocation_id:
        assert await registered.invoke(object(), invocation_id) == ("tell", invocation_id)


async def _say(text: str, name: str) -> None:
    await asyncio.sleep(0)
    logger.info(text, name)
