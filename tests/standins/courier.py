"""Hands a desk's messages out in an order of its own: held back, repeated, overtaken, after time has passed."""

from collections.abc import Sequence
from random import Random

from shared.bus.port import Delivery
from tests.builders import SECOND
from tests.standins.desk import MemoryDesk


class Courier:
    """Does as a list of choices says, each a number; what it then has left it hands out plainly."""

    def __init__(self, desk: MemoryDesk, choices: Sequence[int]) -> None:
        self._desk = desk
        self._choices = iter(choices)
        self._held: list[Delivery] = []

    async def run(self) -> None:
        """Follow the choices, then hand out what is left."""
        for choice in self._choices:
            await self._act(choice)
        for delivery in self._held:
            await self._desk.deliver(delivery)
        await self._desk.run()

    async def _act(self, choice: int) -> None:
        kind, which = choice % 8, choice // 8
        if kind == 0:
            self._desk.clock.advance(7 * SECOND)
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
