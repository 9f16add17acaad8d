"""The change feed of the events, read range by range from marks of our own.

The SDK keeps the last answer's headers on the client that all readers share, and its continuation cannot point into the
middle of a page. So each read here takes one range and one page, and what the SDK says behind it is taken from the
headers of this very call. Ranges that were split are followed by the SDK.
"""

import base64
import json
from collections.abc import Mapping
from dataclasses import replace
from itertools import pairwise
from typing import Any

from azure.cosmos.aio import ContainerProxy

from shared.store.cosmos_account import CosmosAccount, Hook
from shared.store.cosmos_container import EVENTS
from shared.store.cosmos_cursor import Mark

type Change = dict[str, Any]
"""An event's item; `_lsn` numbers the changes of a range, and those of one batch share it."""


class CosmosFeed:
    """Reads what was appended after a mark."""

    def __init__(self, account: CosmosAccount) -> None:
        self._account = account

    async def end(self) -> tuple[Mark, ...]:
        """Give the position behind the last event."""
        _, marks = await self._fetch("read end", Mark(), {"start_time": "Now"})
        return marks

    async def range_of(self, stream: str) -> tuple[str, str]:
        """Give the range [low, high) that holds one stream alone."""

        async def find(container: ContainerProxy, _hook: Hook) -> tuple[str, str]:
            """Give the range from the hash of the stream to the next one."""
            low = (await container.feed_range_from_partition_key(stream))["Range"]["min"]
            return low, f"{int(low, 16) + 1:0{len(low)}X}"

        return await self._account.call("find stream", EVENTS, find)

    async def read(self, mark: Mark, size: int) -> tuple[list[Change], tuple[Mark, ...], Mark]:
        """Give up to about `size` changes after the last whole page of a mark, from its first range that has any.

        Returns
        -------
        changes : list
            Those that the mark has read already are among them.
        behind : tuple of Mark
            The position behind all of them; the range that they are from comes last.
        source : Mark
            The part of `mark` that they are from: all of it unless its range was split.
        """
        left, finished = [mark], list[Mark]()
        while left:
            part = left.pop(0)
            start = {"continuation": await self._token(part)} if part.etag else {"start_time": "Beginning"}
            changes, behind = await self._fetch("read events", part, start | {"max_item_count": size})
            if pieces := _pieces(part, behind):
                left = pieces + left
                continue
            marks = [_carried(mark, piece) for piece in behind]
            if changes and changes[-1]["_lsn"] < mark.lsn:
                # This page was shorter than the one that was read in part.
                marks[-1] = replace(marks[-1], lsn=mark.lsn, given=mark.given)
            if changes:
                return changes, (*finished, *left, *marks), replace(mark, low=marks[-1].low, high=marks[-1].high)
            finished.extend(marks)
        return [], tuple(finished), mark

    async def _fetch(
        self, operation: str, mark: Mark, options: dict[str, Any]
    ) -> tuple[list[Change], tuple[Mark, ...]]:
        async def fetch(container: ContainerProxy, hook: Hook) -> tuple[list[Change], tuple[Mark, ...]]:
            """Give the changes of one page, and the marks behind them."""
            answers: list[Mapping[str, str]] = []

            def keep(headers: Mapping[str, str], body: object) -> None:
                """Remember an answer's headers, and have it charged."""
                hook(headers, body)
                answers.append(headers)

            scope: dict[str, Any] = {} if "continuation" in options else {"feed_range": {"Range": _range(mark)}}
            feed = container.query_items_change_feed(**options, **scope, response_hook=keep)
            changes = [change async for page in _first(feed.by_page()) async for change in page]
            # The SDK writes its continuation over the etag, in the headers that the hook was given.
            return changes, _marks(answers[-1]["etag"])

        return await self._account.call(operation, EVENTS, fetch)

    async def _token(self, mark: Mark) -> str:
        log, span = await self._account.rid(EVENTS), _range(mark)
        continuation = {"v": "v2", "rid": log, "continuation": [{"token": mark.etag, "range": span}], "Range": span}
        token = {
            "v": "v2",
            "containerRid": log,
            "mode": "LatestVersion",
            "startFrom": {"Type": "Beginning"},
            "continuation": continuation,
        }
        return base64.b64encode(json.dumps(token).encode()).decode()


async def _first(pages: Any) -> Any:
    async for page in pages:
        yield page
        return


def _range(mark: Mark) -> dict[str, object]:
    return {"min": mark.low, "max": mark.high, "isMinInclusive": True, "isMaxInclusive": False}


def _marks(continuation: str) -> tuple[Mark, ...]:
    ranges = json.loads(base64.b64decode(continuation))["continuation"]["continuation"]
    return tuple(Mark(part["range"]["min"], part["range"]["max"], part["token"] or "") for part in ranges)


def _carried(mark: Mark, piece: Mark) -> Mark:
    # In a range that was not read, what was read beyond the last whole page still counts.
    return replace(piece, lsn=mark.lsn, given=mark.given) if piece.etag == mark.etag else piece


def _pieces(mark: Mark, behind: tuple[Mark, ...]) -> list[Mark]:
    # The SDK follows a split by whole partitions. Where the mark is less than those, it has read too much: its pieces
    # are to be read one by one. Empty where all is well.
    if all(mark.low <= part.low and part.high <= mark.high for part in behind):
        return []
    edges = [mark.low, *sorted(part.low for part in behind if mark.low < part.low < mark.high), mark.high]
    return [replace(mark, low=low, high=high) for low, high in pairwise(edges)]


def unread(changes: list[Change], mark: Mark) -> list[Change]:
    """Leave out the changes that a mark has read already."""
    same = [change for change in changes if change["_lsn"] == mark.lsn]
    return same[mark.given :] + [change for change in changes if change["_lsn"] > mark.lsn]


def behind(change: Change, changes: list[Change], source: Mark) -> Mark:
    """Give the mark right behind one of the changes that were read from `source`."""
    place = next(place for place, other in enumerate(changes) if other is change)
    lsn = change["_lsn"]
    return replace(source, lsn=lsn, given=sum(other["_lsn"] == lsn for other in changes[: place + 1]))
