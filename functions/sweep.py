"""The sweep: a timer that finds what got lost and tells of what was given up."""

import azure.functions as func

from shared.wiring import desk

blueprint = func.Blueprint()


@blueprint.function_name("sweep")
@blueprint.timer_trigger(arg_name="timer", schedule="30 * * * * *", run_on_startup=False)
async def sweep(timer: func.TimerRequest) -> None:
    """Sweep the log and the dead-letter queues."""
    await desk().book.tick("sweep", desk().sweep.tick)
