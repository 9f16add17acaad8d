"""Hands a desk's messages out in an order of its own: held back, repeated, overtaken, the clock set meanwhile."""

from collections.abc import Sequence
from random import Random

from shared.bus.port import Delivery
from tests.builders import HOUR, SECOND
from tests.standins.desk import MemoryDesk

JUMPS = (7 * SECOND, 7 * SECOND, HOUR, -HOUR)
"""What somebody may do to the clock; set back, it is right again in the end."""


class Courier:
    """Does as a list of choices says, each a number; what it then has left it hands out plainly."""

    def __init__(self, desk: MemoryDesk, choices: Sequence[int]) -> None:
        self._desk = desk
        self._choices = iter(choices)
        self._held: list[Delivery] = []
        self._latest = desk.clock.moment

    async def run(self) -> None:
        """Follow the choices, then hand out what is left."""
        for choice in self._choices:
            await self._act(choice)
        self._desk.clock.moment = self._latest
        for delivery in self._held:
            await self._desk.deliver(delivery)
        await self._desk.run()

    async def _act(self, choice: int) -> None:
        kind, which = choice % 8, choice // 8
        if kind == 0:
            self._desk.clock.advance(JUMPS[which % len(JUMPS)])
            self._latest = max(self._latest, self._desk.clock.moment)
        elif kind <= 4 or not self._held:
            await self._hold(which)
        else:
            await self._desk.deliver(self._held.pop(which % len(self._held)), acknowledged=kind != 5)

    async def _hold(self, which: int) -> None:
        ready = [name for name, waiting in (await self._desk.bus.backlog()).items() if waiting]
        delivery = await self._desk.take(ready[which % len(ready)]) if ready else None
        if delivery is not None:
            self._held.append(delivery)


def choices(chance: Random, length: int) -> list[int]:
    """Give choices that let every order happen."""
    return [chance.randrange(8_000) for _ in range(length)]
