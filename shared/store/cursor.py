"""The cursor of the embedded stores: a position in one particular log, opaque to whoever holds it."""

import re

from shared.errors import InvalidError, MissingError

_FORM = re.compile(r"([0-9a-f]{8})-([0-9]{1,18})")


def write_cursor(log: str, position: int) -> str:
    """Give the cursor behind the event at `position` of the log named `log` (8 hex digits)."""
    return f"{log}-{position}"


def read_cursor(log: str, cursor: str) -> int:
    """Give the position that a cursor names; 0, before the first event, for an empty one.

    Raises
    ------
    InvalidError
        It is malformed.
    MissingError
        It belongs to another log.
    """
    if not cursor:
        return 0
    match = _FORM.fullmatch(cursor)
    if match is None:
        raise InvalidError("after: not a cursor that this API gave")
    if match[1] != log:
        raise MissingError("after: this cursor belongs to a log that is no longer here; start again without it")
    return int(match[2])
