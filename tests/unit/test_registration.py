import typing

import azure.functions as func
import pytest

from local.registration import registrations
from shared.errors import InvalidError


def _app(schedule: str) -> func.FunctionApp:
    app = func.FunctionApp()

    @app.function_name("tick")
    @app.timer_trigger(arg_name="timer", schedule=schedule)
    def tick(timer: func.TimerRequest) -> str:
        """Say when."""
        return "ticked"

    return app


async def test_registrations_when_a_trigger_names_a_setting_resolve_it() -> None:
    (tick,) = registrations(_app("%SCHEDULE%"), {"SCHEDULE": "0 * * * * *"})
    assert tick.trigger["schedule"] == "0 * * * * *"
    assert await tick.invoke(object(), "1") == "ticked"


def test_registrations_when_a_setting_is_missing_name_it() -> None:
    with pytest.raises(InvalidError, match="SCHEDULE"):
        registrations(_app("%SCHEDULE%"), {})


def test_registrations_when_a_trigger_is_of_another_kind_refuse_it_by_name() -> None:
    app = func.FunctionApp()

    @app.function_name("queued")
    @app.queue_trigger(arg_name="message", queue_name="q", connection="STORAGE")
    def queued(message: func.QueueMessage) -> None:
        """Never runs here."""

    with pytest.raises(InvalidError, match="queued"):
        registrations(app, {})


@pytest.mark.parametrize(
    ("cardinality", "expected"), [(func.Cardinality.MANY, True), ("many", True), (func.Cardinality.ONE, False)]
)
def test_registered_when_it_is_of_cardinality_many_takes_batches(
    cardinality: func.Cardinality | str, expected: bool
) -> None:
    app = func.FunctionApp()

    @app.function_name("projector")
    @app.service_bus_topic_trigger(
        arg_name="messages",
        topic_name="market",
        subscription_name="projector",
        connection="SERVICEBUS",
        cardinality=cardinality,
    )
    async def projector(messages: typing.List[func.ServiceBusMessage]) -> None:  # noqa: UP006 - list[...] fails on Azure
        """Never runs here."""

    (registered,) = registrations(app, {})
    assert registered.takes_batches is expected
