"""A fork: the same run with one thing changed, of which only what follows from the change is worked out anew.

The run is played once, and of each handler is noted what it read. It is played again with the change: a handler whose
event, state and readings are what they were is not asked again, for it could only say the same.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from typing import Any

from pydantic import BaseModel

from shared.agents.decision import Decision, Handler
from shared.errors import FinAgentError, InvalidError, MissingError
from shared.events.catalogue import decode
from shared.events.emit import Emit
from shared.events.envelope import Event
from shared.replay.debug import Change, changed
from shared.replay.debug_case import Case, Cast, roles_of
from shared.replay.engine import Engine
from shared.replay.fork_reading import Key, ReadingWorld, Recalled, keys_of
from shared.runtime import Role
from shared.settings import Settings


@dataclass(frozen=True, slots=True)
class Difference:
    """An event that is not what it was.

    Attributes
    ----------
    before, after : Event or None
        None where it was not, or is no more.
    """

    before: Event | None
    after: Event | None

    @property
    def event(self) -> Event:
        """The event as it is, or was."""
        some = self.after or self.before
        assert some is not None
        return some

    @property
    def changes(self) -> tuple[Change, ...]:
        """Where both differ."""
        return () if self.before is None or self.after is None else tuple(changed(self.before, self.after))


@dataclass(frozen=True, slots=True)
class Fork:
    """What a change makes of a run.

    Attributes
    ----------
    rerun, of : int
        How many handlers were asked anew, and how many worked in the run.
    unlike : int
        Events that were recorded and that the run makes otherwise, or not at all, even without the change.
    """

    differences: tuple[Difference, ...]
    rerun: int
    of: int
    log: tuple[Event, ...]
    unlike: int = 0


@dataclass(frozen=True, slots=True)
class _Kept:
    event: Event
    before: BaseModel
    result: Decision[Any] | FinAgentError
    reads: frozenset[Key]
    recalls: tuple[Recalled, ...]

    @property
    def emits(self) -> tuple[Emit, ...]:
        """Give what the step said; nothing where it failed."""
        return self.result.emits if isinstance(self.result, Decision) else ()

    @property
    def state(self) -> object:
        """Give what the step kept; None where it failed."""
        return self.result.state if isinstance(self.result, Decision) else None


def with_changes(event: Event, changes: Mapping[str, Any]) -> Event:
    """Give an event with other values at some paths of its data, for example `data.headline` or `data.bars.0.close`.

    Raises
    ------
    InvalidError
        A path is not there, or the event is none any more.
    """
    document = json.loads(event.json_bytes)
    for path, value in changes.items():
        *parents, last = path.split(".")
        if parents[:1] != ["data"]:
            raise InvalidError(f"{path}: only what is in data can be changed")
        try:
            place = reduce(_within, parents, document)
            _within(place, last)
        except (LookupError, ValueError, TypeError) as error:
            raise InvalidError(f"{path}: {event.type} {event.id} has no such field") from error
        place[_name(place, last)] = value
    return decode(json.dumps(document))


def _within(place: Any, part: str) -> Any:
    return place[_name(place, part)]


def _name(place: Any, part: str) -> Any:
    if not isinstance(place, list):
        return part
    if not part.isdecimal():
        raise ValueError(part)  # the last one is not meant by -1
    return int(part)


async def fork(
    case: Case, cast: Cast, event_id: str, changes: Mapping[str, Any], settings: Mapping[str, str] | None = None
) -> Fork:
    """Play a case with one event changed, or with other settings from that event on, and give what differs.

    Raises
    ------
    MissingError
        The run has no such event.
    InvalidError
        The changed event is none, or a setting is malformed.
    """
    if (stored := next((event for event in (*case.played, *case.came) if event.id == event_id), None)) is not None:
        with_changes(stored, changes)  # what is wrong with them is told before anything is played
    other = replace(case, settings={**case.settings, **settings}) if settings else None
    if other is not None:
        Settings.from_env(other.settings)  # so is what is wrong with these
    base = _Playing(case, cast)
    await base.play()
    original = next((event for event in base.log if event.id == event_id), None)
    if original is None:
        raise MissingError(f"{event_id}: the run has no such event")
    forked = _Forked(case, cast, base, original, with_changes(original, changes), other)
    await forked.play()
    made = {event.id: event for event in base.log}
    unlike = sum(made.get(event.id) != event for event in case.came)
    return Fork(tuple(_differences(base.log, forked.log)), forked.rerun, len(base.kept), tuple(forked.log), unlike)


def _differences(before: Sequence[Event], after: Sequence[Event]) -> list[Difference]:
    old, new = ({event.id: event for event in log} for log in (before, after))
    found = [Difference(each, new.get(name)) for name, each in old.items()]
    found += [Difference(None, each) for name, each in new.items() if name not in old]
    return [each for each in found if each.before is None or each.after is None or each.changes]


class _Playing:
    """A run that notes what each handler read."""

    def __init__(self, case: Case, cast: Cast) -> None:
        self.case = case
        self.world = ReadingWorld(case.pace)
        self.log: list[Event] = []
        self.kept: dict[tuple[str, str], _Kept] = {}
        self._roles = roles_of(case, cast, self.world)

    async def play(self) -> None:
        """Play the case to its end."""
        noted = {name: replace(role, handlers=self._noted(role)) for name, role in self._roles.items()}
        engine = Engine(noted, self.world, record=self.log.append)
        for event in self.case.played:
            await engine.feed([self.fed(event)])
        await engine.finish()

    def fed(self, event: Event) -> Event:
        """Give an event of the source as it is played."""
        return event

    async def ask(self, role: Role, event: Event, state: BaseModel) -> _Kept:
        """Let a handler decide, and note what it read."""
        reads, recalls = self.world.reads, self.world.recalls
        reads.clear()
        recalls.clear()
        result: Decision[Any] | FinAgentError
        try:
            result = await role.handlers[type(event)](event, state, role.deps)
        except FinAgentError as error:
            result = error
        return _Kept(event, state, result, frozenset(reads), tuple(recalls))

    def _noted(self, role: Role) -> dict[type[Event], Handler]:
        async def on_event(event: Event, state: BaseModel, _deps: object) -> Decision[Any]:
            """Decide as noted, and keep it for the runs after this one."""
            kept = self.kept[event.id, role.name] = await self.ask(role, event, state)
            if isinstance(kept.result, FinAgentError):
                raise kept.result
            return kept.result

        return dict.fromkeys(role.handlers, on_event)


class _Forked(_Playing):
    """The run with a change."""

    def __init__(
        self, case: Case, cast: Cast, base: _Playing, original: Event, changed: Event, other: Case | None
    ) -> None:
        super().__init__(case, cast)
        self.rerun = 0
        self._base = base
        self._original = original
        self._changed = changed
        self._others = roles_of(other, cast, self.world) if other is not None else None
        self._has_begun = False
        self._stale = set[Key]()

    def fed(self, event: Event) -> Event:
        """Give the changed event in the place of the original one."""
        if event.id != self._original.id:
            return event
        self._begin()
        return self._changed

    async def ask(self, role: Role, event: Event, state: BaseModel) -> _Kept:
        """Give what was decided then where nothing differs, or let the agent decide anew."""
        kept = self._base.kept.get((event.id, role.name))
        if kept is None or not await self._is_as_it_was(kept, event, state):
            self.rerun += 1
            asked = role if self._others is None else self._others[role.name]
            now = self._with_change(await super().ask(asked, event, state))
        else:
            now = self._with_change(kept)
        self._compare(role, kept, now)
        return now

    def _begin(self) -> None:
        self._has_begun = True
        if self._changed != self._original:
            self._stale |= keys_of(self._original) | keys_of(self._changed)

    async def _is_as_it_was(self, kept: _Kept, event: Event, state: BaseModel) -> bool:
        if self._others is not None and self._has_begun:
            return False
        same_state = kept.before is state or kept.before == state
        same_reads = same_state and kept.event == event and kept.reads.isdisjoint(self._stale)
        return same_reads and await self.world.remembers(kept.recalls)

    def _with_change(self, now: _Kept) -> _Kept:
        if not any(emit.event.id == self._original.id for emit in now.emits) or not isinstance(now.result, Decision):
            return now
        self._begin()
        swapped = (
            replace(emit, event=self._changed) if emit.event.id == self._original.id else emit for emit in now.emits
        )
        return replace(now, result=replace(now.result, emits=tuple(swapped)))

    def _compare(self, role: Role, before: _Kept | None, now: _Kept) -> None:
        if before is now:
            return
        old, new = (before.emits if before else ()), now.emits
        for emit in [emit for emit in old if emit not in new]:
            self._forget(emit.event)
        for emit in [emit for emit in new if emit not in old]:
            self._stale |= keys_of(emit.event)
        if before is None or before.state != now.state:
            self._stale.add(("state", role.name, now.event.stream))

    def _forget(self, event: Event) -> None:
        """Take what a former event led to for stale: its handlers may never be asked again."""
        self._stale |= keys_of(event)
        for name in self._roles:
            if (kept := self._base.kept.get((event.id, name))) is not None:
                self._stale.add(("state", name, event.stream))
                for emit in kept.emits:
                    self._forget(emit.event)
