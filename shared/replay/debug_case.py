"""A case: what was played to a desk, with its settings, and what came of it, as a file that reproduces it offline.

The first line names the settings and the pace; each other line is an event: `played`, `came`, or `told` where a
language model was asked for it in another story.
"""

import json
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from pydantic import BaseModel, Field, ValidationError

from shared.agents.registry import CANDIDATES, STATES
from shared.errors import InvalidError, MissingError
from shared.events.catalogue import decode, describe
from shared.events.envelope import Event
from shared.events.trade import TradeDeadlineReached, TradeRequested
from shared.llm.recorded import RecordedModel
from shared.replay.engine import Engine, Handled, Outcome
from shared.replay.hearing import with_late, with_missing
from shared.replay.whole_file import write_whole
from shared.replay.world import World
from shared.runtime import Role
from shared.settings import Settings
from shared.store.port import ALL, EventStore
from shared.sweep import readable

type Cast = Callable[[Settings, World], Mapping[str, Role]]
"""Gives the agents as they read through a replay's world: `shared.rehearsal.replayed`."""

_VERSION = 1
_PAGE = 500
_DECIMALS = 4
_NEXT = timedelta(microseconds=1)
_DECISIVE = (
    "symbols",
    "interval",
    "deadline_seconds",
    "max_weight",
    "max_var_95",
    "max_gross",
    "max_drawdown",
    "promoted",
    "embedder",
)
"""The settings that decisions rest on; no others leave the desk with a case."""


@dataclass(frozen=True, slots=True)
class Case:
    """A run to be made again.

    Attributes
    ----------
    settings : mapping of str to str
        By their variables.
    pace : float
        Desk seconds per wall second, which patience is measured in.
    played : tuple of Event
        What no agent made, in the order of time.
    came : tuple of Event
        What the agents made of it, as far as it is kept.
    made : int
        How many events they made in all.
    late : tuple of str
        Ids of what agents said of earlier moments, and nobody had heard yet when the story's first word was said.
    told : tuple of Event
        What a language model was asked for besides what came: its answers are taken from here, and nobody is asked.
    """

    settings: Mapping[str, str]
    pace: float
    played: tuple[Event, ...]
    came: tuple[Event, ...]
    made: int
    late: tuple[str, ...] = ()
    told: tuple[Event, ...] = ()

    @property
    def model(self) -> RecordedModel | None:
        """What a language model said; None where none was asked."""
        asked = [event for event in (*self.came, *self.told) if is_told(event)]
        return RecordedModel.of(asked) if asked else None


class _Head(BaseModel):
    """What a file begins with."""

    settings: dict[str, str]
    pace: float = Field(gt=0, allow_inf_nan=False)
    made: int = Field(ge=0)
    late: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Run:
    """What a case gave when it was played."""

    outcome: Outcome
    log: tuple[Event, ...]
    handled: tuple[Handled, ...]

    @property
    def came(self) -> tuple[Event, ...]:
        """What the agents made."""
        return tuple(event for event in self.log if is_made(event))


def is_made(event: Event) -> bool:
    """Say whether an agent made it, so that a replay makes it anew."""
    return event.source in STATES or event.source in CANDIDATES


def is_told(event: Event) -> bool:
    """Say whether a language model was asked for it."""
    return bool(getattr(event.data, "calls", ()))


def decisive(settings: Settings) -> dict[str, str]:
    """Give the settings that decisions rest on, as the environment would hold them."""
    found = {name: getattr(settings, name) for name in _DECISIVE}
    return {
        str(Settings.model_fields[name].alias): ",".join(value) if isinstance(value, tuple) else str(value)
        for name, value in found.items()
    }


async def play(case: Case, cast: Cast, *, observe: Callable[[Handled], None] | None = None) -> Run:
    """Play a case from its beginning to its end.

    Raises
    ------
    InvalidError
        A setting is malformed.
    """
    world, log, handled = World(case.pace), list[Event](), list[Handled]()
    roles = roles_of(case, cast, world)
    engine = Engine(roles, world, record=log.append, observe=observe or handled.append)
    await engine.feed(case.played)
    await engine.finish()
    return Run(engine.outcome, tuple(log), tuple(handled))


def roles_of(case: Case, cast: Cast, world: World) -> Mapping[str, Role]:
    """Give the agents of a case, who hear late what was late then, and ask its model."""
    world.model = case.model
    roles = with_missing(cast(Settings.from_env(case.settings), world), case.came)
    if not (case.late and case.came):
        return roles
    return with_late(roles, case.late, min(event.time for event in case.came) + _NEXT)


async def recorded(store: EventStore, settings: Settings, wanted: Callable[[Event], bool]) -> list[Case]:
    """Give what a desk's log holds up to the last event that is wanted; what came of it is the wanted alone.

    Returns
    -------
    list of Case
        All that may have been: the log tells in which order events were stored, and not when agents read of them.
        Whatever was stored after the first wanted event, or after the first that an agent made, may have come too late.

    Raises
    ------
    MissingError
        The log has no such event.
    """
    played, came, told = list[Event](), list[Event](), list[Event]()
    after_begin, after_word = list[Event](), list[Event]()
    has_begun = False
    pace = _Pace(settings)
    async for event in _log(store):
        pace.note(event)
        has_begun = has_begun or wanted(event)
        if not is_made(event):
            played.append(event)
        elif wanted(event):
            came.append(event)
        else:
            told += [event] if is_told(event) else []
            after_begin += [event] if has_begun else []
            after_word += [event] if came else []
    firsts = [event for event in played if event.causationid is None and wanted(event)]
    if not firsts:
        raise MissingError("the log has no such event, or it is another's")
    begins, ends = (limit(event.time for event in (*firsts, *came)) for limit in (min, max))
    before = tuple(sorted((event for event in played if event.time <= ends), key=lambda event: event.time))
    lates = [tuple(each.id for each in late if each.time <= begins) for late in (after_word, after_begin, [])]
    said = tuple(event for event in told if event.time <= ends)
    one = Case(decisive(settings), pace.value, before, tuple(came), len(came), told=said)
    return [replace(one, late=late) for late in dict.fromkeys(lates)]


class _Pace:
    """The pace of the desk's clock, as its log tells it: whoever replays may have set another speed."""

    def __init__(self, settings: Settings) -> None:
        self.value = 1.0 if settings.is_live else settings.speed
        self._patience = settings.deadline_seconds
        self._asked = dict[str, datetime]()

    def note(self, event: Event) -> None:
        """Take from an event how long its trade was waited for."""
        if isinstance(event, TradeRequested):
            self._asked[event.id] = event.time
        elif isinstance(event, TradeDeadlineReached) and event.data.trigger in self._asked:
            waited = event.time - self._asked.pop(event.data.trigger)
            # Both are rounded to microseconds.
            self.value = round(waited.total_seconds() / self._patience, _DECIMALS)


async def _log(store: EventStore) -> AsyncIterator[Event]:
    cursor = ""
    while (page := await store.page(ALL, cursor, _PAGE)).events:
        for event in readable(page.events):
            yield event
        cursor = page.cursor


def write(case: Case, path: Path) -> None:
    """Write a case to a file, which appears when it is whole.

    Raises
    ------
    InvalidError
        The file cannot be written.
    """
    head = _Head(settings=dict(case.settings), pace=case.pace, made=case.made, late=case.late)
    lines = [
        json.dumps({"finagent_case": _VERSION, **head.model_dump()}).encode(),
        *_lines("played", case.played),
        *_lines("came", case.came),
    ]
    lines += _lines("told", case.told)
    write_whole(path, b"\n".join(lines) + b"\n")


def read(path: Path) -> Case:
    """Read a case from a file.

    Raises
    ------
    InvalidError
        It cannot be read, or a line is none of a case: the line is named.
    """
    try:
        lines = path.read_bytes().splitlines()
    except OSError as error:
        raise InvalidError(f"{path}: cannot be read: {error.strerror}") from error
    begun = _head(path, _document(path, 1, lines[0] if lines else b""))
    found: dict[str, list[Event]] = {"played": [], "came": [], "told": []}
    for number, line in enumerate(lines[1:], 2):
        ((kind, document),) = _document(path, number, line).items() or (("", None),)
        try:
            found[kind].append(decode(json.dumps(document)))
        except (KeyError, InvalidError) as error:
            raise InvalidError(f"{path}: line {number}: {error}") from error
    if not found["played"]:
        raise InvalidError(f"{path}: nothing is played in it")
    played, came, told = map(tuple, found.values())
    return Case(begun.settings, begun.pace, played, came, begun.made, begun.late, told)


def _lines(kind: str, events: Iterable[Event]) -> list[bytes]:
    return [b'{"%s":%s}' % (kind.encode(), event.json_bytes) for event in events]


def _head(path: Path, document: Mapping[str, Any]) -> _Head:
    if document.get("finagent_case") != _VERSION:
        raise InvalidError(f"{path}: is no case of version {_VERSION}")
    try:
        return _Head.model_validate(document)
    except ValidationError as error:
        raise InvalidError(f"{path}: line 1: {describe(error)}") from error


def _document(path: Path, number: int, line: bytes) -> dict[str, Any]:
    try:
        document = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise InvalidError(f"{path}: line {number}: no JSON") from error
    if not isinstance(document, dict) or (number > 1 and len(document) != 1):
        raise InvalidError(f"{path}: line {number}: no event that was played or came")
    return document
