"""Who changed what: the audit, as events, so that it is kept and read like the rest of the log."""

from typing import Literal

from pydantic import Field

from shared.events.envelope import Event, Fact, UtcTime


class Change(Fact):
    """Something that was changed, and by whom; never what proves who it was, and nothing of what was sent.

    Attributes
    ----------
    caller : str
        Names who it was: a key's id, an account's, or `local`.
    action : str
        Method and path over HTTP, without the query; or the command.
    made : str
        Where what it made can be found, or of which key the command is; empty where it made nothing.
    at : datetime
        Wall time, which on a recorded feed is not the desk's.
    """

    caller: str = Field(min_length=1, max_length=200)
    action: str = Field(max_length=320)
    made: str = Field(default="", max_length=400)
    at: UtcTime


class ChangeMade(Event):
    """`change.made`: somebody changed something; for operators, and for whose behalf it was on."""

    type: Literal["change.made"] = "change.made"
    data: Change


def stream_of(owner: str | None) -> str:
    """Give the stream of the changes on an owner's behalf, or of the desk's own; no caller can name it."""
    return "audit" if owner is None else f"audit:{owner}"
