"""What the desk needs of a ledger of executions: rows that only add up, so that any sum of them is a bill.

All of it is recording time and telemetry: nothing in it enters an event, an id or a decision.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from operator import add
from typing import Any, Literal, NamedTuple, Protocol

LIFE = timedelta(days=92)
"""How long an entry is kept: the last whole quarter can be read."""

type Grouping = Literal["agent", "day", "trade", "owner"]
"""What sums are by; `day` is that of the recording time in UTC, `trade` the correlation."""


class Usage(NamedTuple):
    """What was used. Whole numbers, so that the sum is the same in whatever order and groups it is taken.

    Attributes
    ----------
    executions : int
        Invocations of a function.
    billed_us : int
        Microseconds of one instance, as the Flex Consumption plan rounds them.
    wait_us, handler_us, store_us, model_us : int
        Microseconds: from the message's arrival in the queue to the start; within the handler; waiting for store and
        bus; waiting for language models. They exclude one another.
    milli_units : int
        Thousandths of Cosmos request units.
    sent, received, settled : int
        Service Bus operations: messages in steps of 64 KB, completions and lock renewals.
    input_tokens, output_tokens : int
        Of the language model that the entry names.
    """

    executions: int = 0
    billed_us: int = 0
    wait_us: int = 0
    handler_us: int = 0
    store_us: int = 0
    model_us: int = 0
    milli_units: int = 0
    sent: int = 0
    received: int = 0
    settled: int = 0
    input_tokens: int = 0
    output_tokens: int = 0

    def plus(self, other: "Usage") -> "Usage":
        """Give the sum."""
        return Usage(*map(add, self, other))


NOTHING = Usage()


class Entry(NamedTuple):
    """One execution that belongs to a story, or all of a minute that belong to none and are alike.

    Attributes
    ----------
    started : int
        Microseconds since 1970, recording time.
    agent : str
        Who worked: an agent or reader, a timer, a route as `GET /api/events`, or `desk` for what none of these caused.
    event, type : str
        Id and type of the event that was handled, or that a request or timer brought in; else empty.
    correlation : str
        The story; empty when it belongs to none.
    owner : str
        Whose it is; empty when it is the desk's.
    model : str
        Language model that the tokens are of; one that used several has an entry for each.
    """

    started: int
    agent: str
    event: str
    type: str
    correlation: str
    owner: str
    model: str
    usage: Usage

    @property
    def row(self) -> tuple[int | str, ...]:
        """All of it, one value after the other."""
        return (*self[:-1], *self.usage)

    @classmethod
    def of(cls, row: Sequence[Any]) -> "Entry":
        """Give the entry that `row` is of."""
        names = len(cls._fields) - 1
        return cls._make((*row[:names], Usage._make(row[names:])))


class Sum(NamedTuple):
    """What the entries of a group used that name one language model, or none."""

    key: str
    model: str
    usage: Usage


@dataclass(frozen=True, slots=True)
class Batch:
    """Entries that are written in one piece."""

    id: str
    entries: tuple[Entry, ...]


@dataclass(frozen=True, slots=True)
class Span:
    """Which entries are wanted.

    Attributes
    ----------
    since, until : int
        Microseconds since 1970 of an entry's start: from the first, before the second.
    correlation, owner : str or None
        Only these; None for all.
    """

    since: int
    until: int
    correlation: str | None = None
    owner: str | None = None

    def has(self, entry: Entry) -> bool:
        """Say whether an entry is wanted."""
        return (
            self.since <= entry.started < self.until
            and self.correlation in (None, entry.correlation)
            and self.owner in (None, entry.owner)
        )


class Ledger(Protocol):
    """Where entries are kept for `LIFE`. Every method may raise `TransientError`."""

    async def add(self, batch: Batch) -> None:
        """Keep a batch; the last one once more changes nothing."""
        ...

    async def sums(self, by: Grouping, span: Span) -> list[Sum]:
        """Give what was used by group and language model, in the order of the keys."""
        ...

    async def entries(self, span: Span) -> list[Entry]:
        """Give the entries of one story, which the span must name, in the order of their start."""
        ...


def key_of(entry: Entry, by: Grouping) -> str:
    """Give the group that an entry is in."""
    match by:
        case "agent":
            return entry.agent
        case "owner":
            return entry.owner
        case "trade":
            return entry.correlation
        case "day":
            return datetime.fromtimestamp(entry.started // 1_000_000, UTC).date().isoformat()


def summed(entries: Iterable[Entry], by: Grouping) -> list[Sum]:
    """Add up entries by group and language model, in the order of the keys."""
    found: dict[tuple[str, str], Usage] = {}
    for entry in entries:
        group = key_of(entry, by), entry.model
        found[group] = found.get(group, NOTHING).plus(entry.usage)
    return [Sum(key, model, usage) for (key, model), usage in sorted(found.items())]


def in_order(entries: Iterable[Entry]) -> list[Entry]:
    """Give entries in the order of their start."""
    return sorted(entries)


def total(sums: Sequence[Sum]) -> list[Sum]:
    """Give the sum over all groups, by language model; its key is empty."""
    found: dict[str, list[Usage]] = {}
    for each in sums:
        found.setdefault(each.model, []).append(each.usage)
    return [Sum("", model, Usage(*map(sum, zip(*parts, strict=True)))) for model, parts in sorted(found.items())]
