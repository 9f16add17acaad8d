"""The embedded host: pumps messages, fires timers and serves HTTP until it is told to stop, then drains."""

import asyncio
import gc
import logging
import signal
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from local import app_settings, host_json, web
from local.invocation import InvocationThreads
from local.pump import Pump
from local.registration import Registered, listeners, registrations
from local.timer import Timer
from local.timer_log import TimerLog
from shared.errors import FinAgentError
from shared.sqlite import Database
from shared.wiring import Desk, desk

logger = logging.getLogger(__name__)

ROOT = Path(__file__).parents[1]
DRAIN_SECONDS = 10
OPENING_SECONDS = 20
OPENING_POLL_SECONDS = 0.05
_GARBAGE = 50_000
"""Objects more than before that are a reason to look for garbage; Python's own is 2,000."""


class Host:
    """A desk with its functions, ready to run.

    Raises
    ------
    InvalidError
        A setting or `host.json` is malformed, the port is taken, or another host uses the data folder.
    """

    def __init__(self, port: int) -> None:
        settings = app_settings.load(ROOT)
        self.options = host_json.read(ROOT / "host.json", settings)
        self._listener = web.bind(port)
        self.desk: Desk = desk()
        from function_app import app  # indexing is the host's work, after its settings are in place

        self.functions = registrations(app, settings)
        routes, bus = self.desk.queries.topology, self.desk.bus
        heard = listeners(self.functions, routes)
        self._pumps = [Pump(each, bus, self.options, routes.lock_seconds) for each in heard]
        # A desk that lives in Azure has what is this host's own in a file here.
        self._file = self.desk.database or Database(self.desk.settings.data / "host.sqlite", ())
        log, timeout = TimerLog(self._file), self.options.function_timeout_seconds
        self._timers = [Timer(each, log, timeout) for each in self._of("timerTrigger")]
        self._server = web.server(self._of("httpTrigger"), self.options.route_prefix, DRAIN_SECONDS)

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://{web.HOST}:{self._listener.getsockname()[1]}"

    async def run(self, ready: Callable[[], None]) -> None:
        """Run until SIGTERM or SIGINT; `ready` is called when the desk is up to date and answers."""
        stop, loop = asyncio.Event(), asyncio.get_running_loop()
        loop.set_default_executor(InvocationThreads())
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
        self.desk.vitals.is_catching_up = True
        serving = asyncio.create_task(self._server.serve(sockets=[self._listener]))
        sources = [asyncio.create_task(pump.run()) for pump in self._pumps]
        sources += [asyncio.create_task(timer.run()) for timer in self._timers]
        ending = asyncio.create_task(stop.wait())
        opening = asyncio.create_task(self._open())
        over = [ending, serving, *sources]
        await asyncio.wait([opening, *over], return_when=asyncio.FIRST_COMPLETED)
        if opening.done():
            ready()
            await asyncio.wait(over, return_when=asyncio.FIRST_COMPLETED)
        opening.cancel()
        await self._drain(serving, sources)

    async def _open(self) -> None:
        """Return when requests are answered and the agents know what happened while no host ran."""
        await self._server.answering.wait()
        # Who may not count messages cannot wait for the last.
        with suppress(TimeoutError, FinAgentError):
            async with asyncio.timeout(OPENING_SECONDS):
                for timer in self._timers:
                    await timer.caught_up.wait()
                while any((await self.desk.bus.backlog()).values()):  # noqa: ASYNC110 - a bus does not tell when it is empty
                    await asyncio.sleep(OPENING_POLL_SECONDS)
        self.desk.vitals.is_catching_up = False
        _spare_garbage()

    async def _drain(self, serving: "asyncio.Task[None]", sources: list["asyncio.Task[None]"]) -> None:
        """Take no more work, finish what is under way, and let go of the file."""
        logger.info("draining")
        for source in sources:
            source.cancel()
        self._server.should_exit = True
        outcomes = await asyncio.gather(serving, *sources, return_exceptions=True)
        try:
            async with asyncio.timeout(DRAIN_SECONDS):
                await asyncio.gather(*(pump.drain() for pump in self._pumps))
        except TimeoutError:
            logger.warning("stopped with invocations under way; their messages come again")
        await self.desk.close()
        self._file.close()
        for outcome in outcomes:
            if isinstance(outcome, BaseException) and not isinstance(outcome, asyncio.CancelledError):
                raise outcome

    def _of(self, kind: str) -> list[Registered]:
        return [function for function in self.functions if function.trigger["type"] == kind]


def _spare_garbage() -> None:
    """Look for garbage seldom, and not among what stays: the loop stands still meanwhile."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(_GARBAGE)
