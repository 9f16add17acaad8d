"""Recovery: what was never handled since a moment is handled, by the agents of the desk itself.

The sweep follows the log as it grows, and takes what lies before its beginning for history. After a restoration, or an
outage that outlasted its patience, somebody has to say from when on history is work. Then the same is done for that
part of the log: whoever wants an event and has no receipt for it is sent it, alone. Receipts and derived ids make that
harmless beside a live desk, and when it is done again.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from shared.agents.registry import STEPS
from shared.agents.step import CONSENSUS
from shared.bus.port import Message
from shared.clock import after
from shared.errors import InvalidError
from shared.projections.projector import Projector
from shared.store.port import ALL
from shared.sweep import PAGE, PATIENCE_SECONDS, Pending, Sweep, readable

_OF_ROUNDS = frozenset(kind.name() for step in STEPS for kind in (step.trigger, step.deadline))


@dataclass(frozen=True, slots=True)
class Recovered:
    """What a recovery did.

    Attributes
    ----------
    events : int
        Events of the log since the moment.
    sent : mapping of str to int
        How many messages each agent was sent.
    """

    events: int
    sent: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Recovery:
    """Recovers one desk."""

    sweep: Sweep
    projector: Projector

    async def find(self, since: datetime) -> tuple[int, list[Pending]]:
        """Give the number of events since a desk time, and what agents have still to do on them; nothing is changed.

        Notes
        -----
        The whole log is read, because its order is not that of time; of events since the moment, receipts too.
        """
        return await self._find(since, fold=False)

    async def recover(self, since: datetime) -> Recovered:
        """Fold the events since a desk time into the read models, and send agents what they have not handled.

        Raises
        ------
        InvalidError
            The moment has not come yet.
        """
        now = self.sweep.clock.now()
        if since > now:
            raise InvalidError(f"{since:%Y-%m-%d %H:%M} UTC has not come; the desk's clock says {now:%Y-%m-%d %H:%M}")
        # Read to its end first: what agents do with what they are sent makes the log longer.
        events, pending = await self._find(since, fold=True)
        return Recovered(events, await self._send(pending, now))

    async def _find(self, since: datetime, *, fold: bool) -> tuple[int, list[Pending]]:
        now = self.sweep.clock.now()
        overdue = after(self.sweep.clock, now, PATIENCE_SECONDS)
        cursor, events, pending = "", 0, list[Pending]()
        while (page := await self.sweep.store.page(ALL, cursor, PAGE)).events:
            cursor = page.cursor
            for event in readable(page.events):
                if event.time < since:
                    continue
                events += 1
                if fold:  # agents read these models, and the projector leaves no receipts
                    await self.projector.project(event)
                pending += [each for each in await self.sweep.expected(event, now) if each.due <= overdue]
        return events, pending

    async def _send(self, pending: Iterable[Pending], now: datetime) -> dict[str, int]:
        sent = Counter[str]()
        # Another number than any try of the sweep: a bus drops what it has seen before.
        again = {"tries": int(now.timestamp())}
        for each in pending:
            message = await self.sweep.missing(each.model_copy(update=again))
            if message is None:
                continue
            await self.sweep.send(each, self._in_turn(each, message, now))
            sent[each.agent or CONSENSUS] += 1
        return dict(sorted(sent.items()))

    def _in_turn(self, pending: Pending, message: Message, now: datetime) -> Message:
        """Let votes come in before the round that is long overdue is told so."""
        if (pending.agent or CONSENSUS) != CONSENSUS or message.subject not in _OF_ROUNDS:
            return message
        return replace(message, deliver_at=after(self.sweep.clock, now, self.sweep.step_deps.patience_seconds))
