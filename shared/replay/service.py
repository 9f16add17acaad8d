"""Backtests that are asked for over HTTP: one at a time, in a thread of their own, as a role like any agent's.

A restart half-way costs what was played: the message comes again, and the same request gives the same run. An
invocation ends before its host would end it, so that every request comes to a result or to a reason.
"""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime
from time import perf_counter
from typing import Any

from shared.agents.decision import Decision, Stateless
from shared.errors import InvalidError, TransientError
from shared.events.emit import Emit
from shared.events.replay import Backtest, Replay, ReplayCompleted, ReplayRequested
from shared.replay.backtest import Watcher
from shared.replay.report import Report
from shared.runtime import Role

NAME = "replay"
MOST_BARS = 60_000
"""Days with their history times symbols, of one backtest: some minutes of a processor."""
MOST_OPEN = 4
"""Backtests that one owner may have waiting or running."""
TURN_SECONDS = 60.0
"""So long a message waits for the backtest before it, and then comes again later."""
MOST_REPORT_BYTES = 1_500_000
"""Of a report as it is kept in an event; an item of Cosmos DB takes two million at most."""
_LEFT_OUT = (
    (("decided", "views"), "It is too long to be kept with the agents' votes and views: the command line keeps them."),
    (("fills",), "It is too long to be kept with its fills, too: the command line keeps them."),
)
LONGEST_SECONDS = 210.0
"""What a backtest may take; with the wait for its turn less than the host's functionTimeout."""

type Perform = Callable[[Backtest, str, Watcher], Awaitable[Report]]
"""Plays a backtest under the name of a run, keeps its result, and gives its report."""


class StoppedError(TransientError):
    """The host stops; another will begin anew."""


class Replays:
    """Plays the backtests that are asked for, and says how far they are.

    Parameters
    ----------
    longest_seconds, turn_seconds : float
        What a backtest may take, and how long another waits for it.

    Attributes
    ----------
    reached : dict of str to float
        By run, the share that was played by this process.
    """

    def __init__(
        self, perform: Perform, longest_seconds: float = LONGEST_SECONDS, turn_seconds: float = TURN_SECONDS
    ) -> None:
        self._perform = perform
        self._longest_seconds, self._turn_seconds = longest_seconds, turn_seconds
        self._one = asyncio.Semaphore(1)
        self.reached: dict[str, float] = {}
        self.is_stopped = False

    def role(self) -> Role:
        """Give what plays a backtest as the runtime knows it."""
        return Role(NAME, Stateless, {ReplayRequested: self._on_replay_requested}, None)

    async def _on_replay_requested(self, event: ReplayRequested, _state: Stateless, _deps: None) -> Decision[Any]:
        await self._wait_for_turn()
        try:
            played = await self._played(event)
        except InvalidError as error:
            played = Replay(played=0, emitted=0, problem=str(error)[:2_000])
        finally:
            self._one.release()
        return Decision(emits=(Emit(ReplayCompleted.caused_by(event, source=NAME, data=played)),))

    async def _wait_for_turn(self) -> None:
        try:
            await asyncio.wait_for(self._one.acquire(), self._turn_seconds)
        except TimeoutError as error:
            raise TransientError("another replay is being played") from error

    async def _played(self, event: ReplayRequested) -> Replay:
        run, is_over, began = event.id, False, perf_counter()

        def watch(_moment: datetime, share: float) -> None:
            """Note how far it came, and stop it where nobody waits for it any more, or it takes too long."""
            if self.is_stopped or is_over:
                raise StoppedError("the host stops")
            if perf_counter() - began > self._longest_seconds:
                told = f"stopped at {share:.0%} after {self._longest_seconds:g} s"
                raise InvalidError(f"last_day: {told}; ask for fewer days or symbols, or use the command line")
            self.reached[run] = share

        async def perform() -> Report:
            """Play it in a loop of the thread's own."""
            return await self._perform(event.data, run, watch)

        try:
            made = await asyncio.to_thread(lambda: asyncio.run(perform()))
        finally:
            is_over = True
            self.reached.pop(run, None)
        return Replay(
            hash=made.hash, data_hash=made.manifest.data, played=made.played, emitted=made.emitted, report=fitting(made)
        )


def fitting(report: Report, most_bytes: int = MOST_REPORT_BYTES) -> str:
    """Give a report's JSON, without what its agents said, and then its fills, where it is too large to be kept."""
    text = report.model_dump_json()
    for names, told in _LEFT_OUT:
        if len(text.encode()) <= most_bytes:
            break
        report = report.model_copy(update={**dict.fromkeys(names, ()), "labels": (*report.labels, told)})
        text = report.model_dump_json()
    return text


def bars_of(asked: Backtest) -> int:
    """Give an upper bound of the bars that a backtest plays."""
    return ((asked.last_day - asked.first_day).days + 1 + asked.lookback_days) * len(asked.symbols)
