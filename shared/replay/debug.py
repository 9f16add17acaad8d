"""Debugging one decision: every step from the event that it began with, as the agents saw it, by playing it again.

The log says what was concluded; the states that it was concluded from are gone. Playing what came before once more,
through the same handlers, brings them back, and shows at the same time whether the program still concludes the same.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from shared.callers.caller import LOCAL, Caller
from shared.errors import MissingError
from shared.events.envelope import Event
from shared.ledger.port import Ledger, Span, Usage
from shared.replay.debug_case import Case, Cast, Run, is_made, play, recorded
from shared.replay.engine import Handled
from shared.settings import Settings
from shared.store.port import EventStore

_EVER = 1 << 62
_OF_MACHINES = 1e-5
"""By less of itself a number differs where another processor adds in another order."""

type Change = tuple[str, Any, Any]
"""A path in a document, and what was there before and after; None where there was nothing."""


@dataclass(frozen=True, slots=True)
class Step:
    """One agent's work on one event of the story.

    Attributes
    ----------
    depth : int
        How many events lie between it and the story's first.
    changes : tuple of Change
        What it changed in the agent's state.
    usage : Usage or None
        Time and what is billed, as the ledger has it of the live desk.
    """

    depth: int
    handled: Handled
    changes: tuple[Change, ...]
    usage: Usage | None = None

    def stops_at(self, breakpoints: frozenset[str]) -> bool:
        """Say whether a breakpoint names its event's type, its agent, or the type of what it emits."""
        emitted = {emit.event.type for emit in self.handled.emits}
        return bool(breakpoints & {self.handled.event.type, self.handled.agent, *emitted})


async def story(store: EventStore, settings: Settings, correlation: str, caller: Caller) -> list[Case]:
    """Give the case of one decision, all that had happened when it was made and what came of it, as it may have been.

    Raises
    ------
    MissingError
        The log has no such correlation that the caller may read.
    """
    try:
        cases = await recorded(
            store, settings, lambda event: event.correlationid == correlation and caller.reads(event)
        )
        return [
            replace(
                case,
                played=tuple(filter(caller.reads, case.played)),
                told=tuple(filter(caller.reads, case.told)),
            )
            for case in cases
        ]
    except MissingError as error:
        raise MissingError(f"{correlation}: no story in the log has this correlation id, or it is another's") from error


async def reproduced(cases: Sequence[Case], correlation: str, cast: Cast, caller: Caller = LOCAL) -> Case:
    """Give the first case that concludes what the desk did, or else the one that differs least."""
    found = list[tuple[int, Case]]()
    for case in cases:
        different = differences(case, (await steps(case, correlation, cast, caller=caller))[0], correlation)
        if not different:
            return case
        found.append((len(different), case))
    return min(found, key=lambda pair: pair[0])[1]


async def steps(
    case: Case,
    correlation: str,
    cast: Cast,
    used: Mapping[tuple[str, str], Usage] | None = None,
    caller: Caller = LOCAL,
) -> tuple[Run, list[Step]]:
    """Play a case, and give the steps of one story that the caller may see, as a tree, depth first."""
    handled = list[Handled]()

    def observe(each: Handled) -> None:
        """Keep what the caller may see of the story."""
        if each.event.correlationid == correlation and caller.reads(each.event):
            handled.append(replace(each, emits=tuple(emit for emit in each.emits if caller.reads(emit.event))))

    run = await play(case, cast, observe=observe)
    run = replace(run, log=tuple(event for event in run.log if caller.reads(event)))
    roots = [event for event in case.played if event.correlationid == correlation and event.causationid is None]
    return run, [step for root in roots for step in _below(root, handled, 0, used or {})]


def _below(event: Event, handled: list[Handled], depth: int, used: Mapping[tuple[str, str], Usage]) -> Iterator[Step]:
    for each in (each for each in handled if each.event.id == event.id):
        changes = tuple(changed(each.before, each.after)) if each.after is not None else ()
        yield Step(depth, each, changes, used.get((each.agent, event.id)))
        for emit in each.emits:
            yield from _below(emit.event, handled, depth + 1, used)


async def used_by(ledger: Ledger, correlation: str) -> dict[tuple[str, str], Usage]:
    """Give what the live desk used, by agent and event."""
    found: dict[tuple[str, str], Usage] = {}
    for entry in await ledger.entries(Span(0, _EVER, correlation)):
        known = found.get((entry.agent, entry.event), Usage())
        found[entry.agent, entry.event] = known.plus(entry.usage)
    return found


def as_replayed(case: Case, run: Run, correlation: str) -> Case:
    """Give the case with what the replay made in the place of what the desk did."""
    came = tuple(event for event in run.came if event.correlationid == correlation)
    return replace(case, came=came, made=len(came))


def differences(case: Case, run: Run, correlation: str) -> list[str]:
    """Say in which events of a story the replay differs from what came of it; empty where it is reproduced.

    Notes
    -----
    Numbers are the same when they agree to five digits: another processor adds in another order, and where a model is
    fitted step by step that comes to 1e-6.
    """
    before = {event.id: event for event in case.came}
    after = {event.id: event for event in run.log if is_made(event) and event.correlationid == correlation}
    lines = [f"{before[name].type} {name} did not come again" for name in before.keys() - after.keys()]
    # What is scheduled may not have come yet when the log was read.
    new = [event for name, event in after.items() if name not in before and not event.scheduled]
    lines += [f"{event.type} {event.id} is new" for event in new]
    for name in [name for name in before if name in after]:
        for path, old, new in changed(before[name], after[name], _OF_MACHINES):
            lines.append(f"{before[name].type} {name}: {path} was {old!r}, is {new!r}")
    return lines


def changed(before: Any, after: Any, within: float = 1e-9) -> Iterator[Change]:
    """Give where two models differ, path by path; numbers by more than a share of themselves."""
    yield from _changed("", before.model_dump(mode="json"), after.model_dump(mode="json"), within)


def _changed(path: str, before: Any, after: Any, within: float) -> Iterator[Change]:
    if isinstance(before, dict) and isinstance(after, dict):
        for key in [*before, *(key for key in after if key not in before)]:
            yield from _changed(f"{path}.{key}".removeprefix("."), before.get(key), after.get(key), within)
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        for place, (one, other) in enumerate(zip(before, after, strict=True)):
            yield from _changed(f"{path}.{place}", one, other, within)
    elif not _same(before, after, within):
        yield path, before, after


def _same(before: Any, after: Any, within: float) -> bool:
    if isinstance(before, float) and isinstance(after, float):
        return math.isclose(before, after, rel_tol=within, abs_tol=within / 1_000)
    return bool(before == after)
