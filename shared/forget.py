"""Forgetting an owner: everything that is kept of theirs, at every place that keeps something.

Each place names the owner's things by itself and forgets them by itself, in an order in which an interrupted run can be
done again: what leads to the rest, the events, goes last.
"""

from collections.abc import Mapping, Sequence
from typing import Protocol

from pydantic import TypeAdapter, ValidationError

from shared.errors import InvalidError
from shared.events.emit import Emit
from shared.events.envelope import Owner

_OWNER: TypeAdapter[str] = TypeAdapter(Owner)


class Holder(Protocol):
    """A place where something of an owner's is kept."""

    async def forget(self, owner: str, *, is_trial: bool) -> Mapping[str, int]:
        """Delete what is the owner's, and give how many things of which kind that was.

        Parameters
        ----------
        is_trial : bool
            Change nothing, and give what there is.

        Raises
        ------
        TransientError
            Some of it may be deleted; doing it again deletes the rest.
        """
        ...


async def forget(holders: Sequence[Holder], owner: str, *, is_trial: bool) -> dict[str, int]:
    """Have each place forget an owner, one after the other, and give the number of things by kind.

    Raises
    ------
    InvalidError
        The name is none that an owner can have; nothing was looked at.
    """
    try:
        _OWNER.validate_python(owner)
    except ValidationError as error:
        raise InvalidError(f"--owner: {owner!r} is no owner's name: letters, digits, _ and -, 64 at most") from error
    found = dict[str, int]()
    for holder in holders:
        for kind, count in (await holder.forget(owner, is_trial=is_trial)).items():
            found[kind] = found.get(kind, 0) + count
    return found


def mark_of(owner: str) -> str:
    """Give the text that is in the JSON of each event of the owner's: no name can end another one."""
    return f'"owner":"{owner}"'


def without(outputs: Sequence[Emit], owner: str) -> tuple[Emit, ...]:
    """Leave out of a receipt what was concluded for an owner from an event that is everybody's."""
    return tuple(output for output in outputs if output.event.owner != owner)
