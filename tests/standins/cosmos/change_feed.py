"""The change feed of one physical partition, or of a part of it."""

from email.utils import parsedate_to_datetime

from tests.standins.cosmos.charge import feed_charge
from tests.standins.cosmos.container import Container
from tests.standins.cosmos.exchange import Request, Response, charged
from tests.standins.cosmos.partition import Item, Partition
from tests.standins.cosmos.refusal import RefusedError

type Scope = list[tuple[Partition, str, str]]
"""Parts of physical partitions: each with the range of hashed keys that is meant."""


def changes(container: Container, scope: Scope, request: Request) -> Response:
    """Give a page of a range's latest versions, oldest change first; 304 where there are none after the etag."""
    if request.headers["a-im"].lower() != "incremental feed":
        raise RefusedError(501, "stand-in: only the latest version of items is in the change feed")
    container.sweep()
    if len(scope) != 1:
        raise RefusedError(410, "The range spans several physical partitions.", 1002)
    partition, low, high = scope[0]
    after, since = _position(request, partition)
    page = _whole_changes(
        [item for item in partition.changes(after, low, high) if int(str(item.body["_ts"])) >= since],
        request.page_size,
    )
    lsn = page[-1].lsn if page else max(partition.lsn, after)
    bodies: list[object] = [item.body | {"_lsn": item.lsn} for item in page]
    charge = feed_charge(sum(item.size_bytes for item in page), len(page))
    headers = charged(charge, etag=f'"{lsn}"') | sessions(scope)
    return listed(container, bodies, headers) if page else Response(304, None, headers)


def _position(request: Request, partition: Partition) -> tuple[int, float]:
    etag, since = request.headers.get("if-none-match", ""), request.headers.get("if-modified-since", "")
    if etag == "*":
        return partition.lsn, 0
    if etag:
        return int(etag.strip('"')), 0
    return 0, _seconds(since) if since else 0


def _seconds(date: str) -> float:
    return parsedate_to_datetime(date).timestamp()


def _whole_changes(items: list[Item], size: int) -> list[Item]:
    # What was changed together is never torn apart, even if the page gets longer than was asked.
    page = items[:size]
    for item in items[size:]:
        if item.lsn != page[-1].lsn:
            break
        page.append(item)
    return page


def listed(container: Container, page: list[object], headers: dict[str, str]) -> Response:
    """Answer with a list of items."""
    body = {"_rid": container.rid, "Documents": page, "_count": len(page)}
    return Response(200, body, headers | {"x-ms-item-count": str(len(page))})


def session(partition: str, lsn: int) -> str:
    """Give the session token of a physical partition."""
    return f"{partition}:-1#{lsn}"


def sessions(scope: Scope) -> dict[str, str]:
    """Give the header with the session tokens of what was read."""
    tokens = {partition.id: session(partition.id, partition.lsn) for partition, _, _ in scope}
    return {"x-ms-session-token": ",".join(tokens.values())}
