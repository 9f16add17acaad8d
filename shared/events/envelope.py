"""The envelope that every event travels in: CloudEvents 1.0, structured JSON.

Owns the base model, how time and identity are written, and how one event follows from another. Ids of everything that
a handler or an ingester emits are derived from their cause, never random, so that doing the same work twice gives the
same event and storing it twice is harmless.
"""

from collections.abc import Mapping
from datetime import UTC, date, datetime
from functools import cached_property
from typing import Annotated, Any, ClassVar, Literal, Self
from uuid import UUID, uuid5

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field

FIRST_YEAR, LAST_YEAR = 1900, 8_000
NAMESPACE = UUID("5d4bd7b8-7f8f-5f0e-9d0a-0d6a3f1f6c11")


def derive_id(*parts: str) -> str:
    """Give the UUIDv5 that belongs to `parts`: the same parts always give the same id.

    Parameters
    ----------
    *parts : str
        What makes the thing unique, most general first, for example cause, agent, type, ordinal.
    """
    return str(uuid5(NAMESPACE, "\x1f".join(parts)))


def _to_utc(moment: datetime) -> datetime:
    if moment.tzinfo is UTC:
        return moment
    try:
        return moment.astimezone(UTC)
    except OverflowError as error:
        raise ValueError("beyond the years 1 to 9999 in UTC") from error


UtcTime = Annotated[AwareDatetime, AfterValidator(_to_utc)]
"""An instant in UTC; naive times are refused, other zones are converted."""


def within_reach[D: date](moment: D) -> D:
    """Give a day or an instant back; raises ValueError where it is beyond the years that an event may have."""
    if not FIRST_YEAR <= moment.year <= LAST_YEAR:
        raise ValueError(f"beyond the years {FIRST_YEAR} to {LAST_YEAR}")
    return moment


EventTime = Annotated[UtcTime, AfterValidator(within_reach)]
"""When something happened: so bounded, a deadline or a look back from it is a date, too."""

Token = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[A-Za-z0-9][A-Za-z0-9._:-]*$")]
"""A name that is safe in a path, a partition key and a session id."""

Owner = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$")]
"""Whose something is: a name without the signs that part the names in a stream."""

EVERYBODY, OPERATORS = "", "-"
"""Audiences that are no owner: whoever may read at all, and who looks after the desk."""

Symbol = Annotated[str, Field(pattern=r"^[A-Z][A-Z0-9.]{0,11}$")]
"""A ticker as the exchange writes it, for example `AAPL` or `BRK.B`."""

Finite = Annotated[float, Field(allow_inf_nan=False)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
NonNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Price = Annotated[float, Field(ge=1e-9, le=1e12, allow_inf_nan=False)]
"""US dollars per share, within the bounds where no indicator can overflow."""
Quantity = Annotated[float, Field(gt=0, le=1e12, allow_inf_nan=False)]
"""Shares; so bounded, no value of a portfolio can overflow."""
Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
"""A part of a whole, from 0 to 1."""
Stance = Annotated[float, Field(ge=-1, le=1, allow_inf_nan=False)]
"""Support for what is proposed: +1 fully for it, 0 indifferent, -1 fully against it."""


class Fact(BaseModel):
    """Base of every model inside an event: frozen, and unknown fields are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Event(Fact):
    """One thing that happened. Subclasses fix `type` and the shape of `data`.

    Attributes
    ----------
    time : datetime
        When it happened in the market (desk clock, UTC); the only clock that an agent sees.
    stream : str
        The unit of ordering: Cosmos partition key, session id on the `market` topic, home of agents' snapshots.
    correlationid : str
        Id of the event that started the whole story.
    causationid : str or None
        Id of the event that led directly to this one; None for the first of a story.
    run : str
        Empty for the live desk, else the id of the replay that it belongs to.
    traceparent : str or None
        W3C trace context: telemetry, never part of the event's meaning.
    owner : str or None
        Whose it is, and all that follows from it; None for the desk's own.
    """

    topic: ClassVar[str] = "events"
    scheduled: ClassVar[bool] = False
    """Whether it travels as a scheduled message and enters the log only when it happens."""
    public: ClassVar[bool] = False
    """Whether everybody may read it where it is the desk's own; a type that does not say so is for operators."""

    specversion: Literal["1.0"] = "1.0"
    id: Token
    source: Token
    type: str
    time: EventTime
    datacontenttype: Literal["application/json"] = "application/json"
    dataschemaversion: Literal[1] = 1
    stream: Token
    correlationid: Token
    causationid: Token | None = None
    run: str = ""
    traceparent: str | None = None
    owner: Owner | None = None
    data: Any

    @classmethod
    def name(cls) -> str:
        """Give the event's dotted type name, for example `trade.requested`."""
        return str(cls.model_fields["type"].default)

    @classmethod
    def schema_version(cls) -> int:
        """Give the schema version that this program writes; `shared.events.upcast` brings older ones up to it."""
        return int(cls.model_fields["dataschemaversion"].default)

    @classmethod
    def first(cls, *, id: str, source: str, stream: str, time: datetime, data: Fact, owner: str | None = None) -> Self:
        """Make the event that starts a story: its correlation is its own id."""
        return cls(  # type: ignore[call-arg]
            id=id, source=source, stream=stream, time=time, correlationid=id, owner=owner, data=data
        )

    @classmethod
    def caused_by(
        cls,
        cause: "Event",
        *,
        source: str,
        data: Fact,
        ordinal: int = 0,
        id: str | None = None,
        stream: str | None = None,
        time: datetime | None = None,
        causation: str | None = None,
    ) -> Self:
        """Make the event that follows from `cause`.

        Parameters
        ----------
        cause : Event
            What led to it: gives correlation, run, owner, trace, and, unless said otherwise, stream and time.
        source : str
            Who concluded it, for example an agent's name.
        data : Fact
            The payload.
        ordinal : int
            Tells apart several events of one type from one cause and source.
        id : str, optional
            An id derived from something else than (cause, source, type, ordinal).
        stream, time, causation : optional
            Where these are not the cause's own stream, time and id.
        """
        return cls(  # type: ignore[call-arg]
            id=id or derive_id(cause.id, source, cls.name(), str(ordinal)),
            source=source,
            stream=stream or cause.stream,
            time=time or cause.time,
            correlationid=cause.correlationid,
            causationid=causation or cause.id,
            run=cause.run,
            owner=cause.owner,
            traceparent=cause.traceparent,
            data=data,
        )

    @property
    def audience(self) -> str:
        """Who may read it: its owner, or `EVERYBODY`, or `OPERATORS`; operators may read all in any case."""
        return self.owner or (EVERYBODY if self.public else OPERATORS)

    @cached_property
    def json_bytes(self) -> bytes:
        """The event as structured CloudEvents JSON, UTF-8; absent attributes are left out."""
        return self.model_dump_json(exclude_none=True).encode()

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """Give a copy with some attributes replaced, and its own JSON."""
        copied = super().model_copy(update=update, deep=deep)
        copied.__dict__.pop("json_bytes", None)
        return copied
