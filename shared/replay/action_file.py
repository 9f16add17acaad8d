"""Splits and dividends from a CSV file, for bars that are not adjusted for them; read whole, with the row named."""

import csv
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, time
from hashlib import sha256
from math import inf
from pathlib import Path
from typing import Literal, cast

from shared.broker.simulated import CorporateAction
from shared.errors import InvalidError
from shared.events.replay import NEW_YORK

COLUMNS = ("date", "symbol", "kind", "amount")


def actions(path: Path) -> list[CorporateAction]:
    """Give the actions of a file with the columns `COLUMNS`, one a row, in any order of time.

    `date` is the first day that trades without it; `amount` is new shares for an old one, or US dollars per share.

    Raises
    ------
    InvalidError
        The file cannot be read, or a row is none: unknown columns, no day, no `split` or `dividend`, an amount that is
        not above 0, or one that is given twice. The row is named.
    """
    try:
        rows = csv.reader(path.read_text("utf-8-sig").splitlines(keepends=True), strict=True)
        return _actions(rows, path)
    except OSError as error:
        raise InvalidError(f"{path}: cannot be read: {error.strerror}") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise InvalidError(f"{path}: cannot be read: {error}") from error


def origin_with(origin: str, happened: Sequence[CorporateAction]) -> str:
    """Give the name of a source whose prices have actions in them: other actions make another run of the same bars."""
    told = "\n".join(sorted(f"{each.symbol} {each.at} {each.kind} {each.amount!r}" for each in happened))
    return f"{origin} with actions {sha256(told.encode()).hexdigest()[:12]}" if happened else origin


def _actions(rows: Iterable[list[str]], path: Path) -> list[CorporateAction]:
    numbered = enumerate(rows, start=1)
    header = tuple(name.strip().lower() for name in next(numbered, (1, []))[1])
    if sorted(header) != sorted(COLUMNS):
        raise InvalidError(f"{path} row 1: the columns must be {', '.join(COLUMNS)}, not {', '.join(header) or 'none'}")
    found = dict[tuple[str, str, datetime], CorporateAction]()
    for number, row in numbered:
        try:
            action = _action(header, row)
            if (key := (action.symbol, action.kind, action.at)) in found:
                raise InvalidError(f"{action.kind} of {action.symbol} is given twice on that day")
        except InvalidError as error:
            raise InvalidError(f"{path} row {number}: {error}") from error
        found[key] = action
    return list(found.values())


def _action(header: tuple[str, ...], row: list[str]) -> CorporateAction:
    if len(row) != len(header):
        raise InvalidError(f"has {len(row)} values, not {len(header)}")
    values = dict(zip(header, (value.strip() for value in row), strict=True))
    if (kind := values["kind"].lower()) not in ("split", "dividend"):
        raise InvalidError(f"kind: {kind!r} is neither split nor dividend")
    if not (symbol := values["symbol"].upper()):
        raise InvalidError("symbol: is empty")
    known = cast('Literal["split", "dividend"]', kind)
    return CorporateAction(known, symbol, _begin(values["date"]), _amount(values["amount"]))


def _begin(text: str) -> datetime:
    try:
        return datetime.combine(date.fromisoformat(text), time(), NEW_YORK).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise InvalidError(f"date: {text[:40]!r} is no day such as 2008-01-02") from error


def _amount(text: str) -> float:
    try:
        amount = float(text)
    except ValueError as error:
        raise InvalidError(f"amount: {text[:40]!r} is no number") from error
    if not 0 < amount < inf:
        raise InvalidError(f"amount: {text} is not above 0")
    return amount
