"""Grading: a timer that says what opinions were worth once the market has shown it."""

import azure.functions as func

from shared.wiring import desk

blueprint = func.Blueprint()


@blueprint.function_name("grading")
@blueprint.timer_trigger(arg_name="timer", schedule="45 * * * * *", run_on_startup=False)
async def grading(timer: func.TimerRequest) -> None:
    """Grade the opinions that are due."""
    await desk().grading.tick()
