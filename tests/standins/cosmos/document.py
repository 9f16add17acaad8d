"""Requests about items: one by one, in a batch, by query, page by page, and as a change feed."""

import base64
import json
from collections.abc import Callable, Sequence

from tests.standins.cosmos.change_feed import Scope, changes, listed, session, sessions
from tests.standins.cosmos.charge import feed_charge, query_charge
from tests.standins.cosmos.container import LARGEST_BYTES, Answer, Condition, Container
from tests.standins.cosmos.effective_key import effective_key
from tests.standins.cosmos.evaluation import run
from tests.standins.cosmos.exchange import Request, Response, charged
from tests.standins.cosmos.partition import Body, successor
from tests.standins.cosmos.plan import needs_client, plan
from tests.standins.cosmos.refusal import RefusedError
from tests.standins.cosmos.sql import measured, parse


def on_item(container: Container, request: Request, name: str) -> Response:
    """Read, replace or delete one item."""
    does = {"GET": container.read, "PUT": container.replace, "DELETE": container.delete}
    if request.method not in does:
        raise RefusedError(501, f"stand-in: {request.method} of an item is not covered")
    key = request.key
    if key is None:
        raise RefusedError(400, "PartitionKey value must be supplied for this operation.")
    body = request.json if request.method == "PUT" else {}
    return _answer(does[request.method](key, body, name, _condition(request)), request)


def on_items(container: Container, request: Request) -> Response:
    """Create, upsert, batch, query or list items."""
    if request.method == "GET":
        give = _changes if "a-im" in request.headers else _list
        return give(container, request)
    if request.says("x-ms-cosmos-is-query-plan-request"):
        return _plan(container, request)
    if request.says("x-ms-documentdb-isquery") or "query+json" in request.headers.get("content-type", ""):
        return _query(container, request)
    key = request.key
    if request.says("x-ms-cosmos-is-batch-request"):
        assert key is not None
        return _batch(container, request)
    body = request.json
    write = container.upsert if request.says("x-ms-documentdb-is-upsert") else container.create
    return _answer(write(container.key_of(body) if key is None else key, body, "", _condition(request)), request)


def _condition(request: Request) -> Condition:
    return Condition(request.headers.get("if-match", ""), request.headers.get("if-none-match", ""))


def _answer(answer: Answer, request: Request) -> Response:
    headers = charged(answer.charge, x_ms_session_token=session(answer.partition, answer.lsn))
    if answer.item is None:
        return Response(answer.status, None, headers)
    headers |= {"etag": str(answer.item.body["_etag"]), "lsn": str(answer.lsn)}
    silent = answer.status == 304 or (request.method != "GET" and "minimal" in request.headers.get("prefer", ""))
    return Response(answer.status, None if silent else answer.item.body, headers)


def _batch(container: Container, request: Request) -> Response:
    assert request.key is not None
    if len(request.body) > LARGEST_BYTES:
        raise RefusedError(413, "Request size is too large")
    results = container.batch(request.key, request.json)
    partition = container.at(effective_key(request.key))
    charge = sum(float(str(result["requestCharge"])) for result in results)
    failed = any(int(str(result["statusCode"])) >= 400 for result in results)
    headers = charged(charge, x_ms_session_token=session(partition.id, partition.lsn))
    return Response(207 if failed else 200, results, headers)


def _plan(container: Container, request: Request) -> Response:
    asked = request.json
    query = measured(parse(asked["query"]), _distances(container))
    return Response(200, plan(query, _parameters(asked)), charged(0))


def _distances(container: Container) -> dict[str, str]:
    policy = container.definition.get("vectorEmbeddingPolicy")
    embeddings = policy.get("vectorEmbeddings", []) if isinstance(policy, dict) else []
    return {str(embedding["path"]).strip("/"): str(embedding["distanceFunction"]) for embedding in embeddings}


def _parameters(asked: dict[str, list[dict[str, object]]]) -> dict[str, object]:
    return {str(given["name"]): given.get("value") for given in asked.get("parameters") or []}


def _scope(container: Container, request: Request) -> Scope:
    if request.key is not None:
        return _scope_of_key(container, effective_key(request.key), len(request.key))
    range_id = request.headers.get("x-ms-documentdb-partitionkeyrangeid")
    partitions = container.partitions if range_id is None else [container.numbered(range_id.split(",")[-1])]
    low, high = request.headers.get("x-ms-start-epk", ""), request.headers.get("x-ms-end-epk", "FF")
    return [(partition, max(partition.low, low), min(partition.high, high)) for partition in partitions]


def _scope_of_key(container: Container, hashed: str, components: int) -> Scope:
    definition = container.definition["partitionKey"]
    assert isinstance(definition, dict)
    if components < len(definition["paths"]):
        high = hashed + "FF"
        return [
            (partition, max(partition.low, hashed), min(partition.high, high))
            for partition in container.partitions
            if partition.low < high and hashed < partition.high
        ]
    return [(container.at(hashed), hashed, successor(hashed))]


def _query(container: Container, request: Request) -> Response:
    asked = request.json
    query, scope = measured(parse(asked["query"]), _distances(container)), _scope(container, request)
    is_whole = request.key is None and "x-ms-documentdb-partitionkeyrangeid" not in request.headers
    if is_whole and not request.says("x-ms-documentdb-query-enablecrosspartition"):
        raise RefusedError(400, "Cross partition query is required but disabled.")
    if is_whole and needs_client(query):
        raise RefusedError(400, "Cross partition query needs a client that can run its plan.", 1004)
    page, more, scope = _page(container, request, scope, lambda bodies: run(query, bodies, _parameters(asked)))
    charge = query_charge(sum(len(json.dumps(result)) for result in page), len(page))
    return listed(container, page, charged(charge) | more | sessions(scope))


def _changes(container: Container, request: Request) -> Response:
    return changes(container, _scope(container, request), request)


def _list(container: Container, request: Request) -> Response:
    page, more, scope = _page(container, request, _scope(container, request), list)
    charge = feed_charge(sum(len(json.dumps(body)) for body in page), len(page))
    return listed(container, page, charged(charge) | more | sessions(scope))


def _page(
    container: Container, request: Request, scope: Scope, select: Callable[[list[Body]], Sequence[object]]
) -> tuple[list[object], dict[str, str], Scope]:
    # One physical partition after the other, as the gateway does it: a page never has items of two.
    container.sweep()
    place, start = _read_token(request.headers.get("x-ms-continuation", ""))
    partition, low, high = scope[place]
    results = select([item.body for item in partition.within(low, high)])
    end = start + request.page_size
    if end >= len(results):
        place, end = place + 1, 0
    more = {} if place == len(scope) else {"x-ms-continuation": base64.b64encode(f"{place}:{end}".encode()).decode()}
    return list(results[start : start + request.page_size]), more, [(partition, low, high)]


def _read_token(token: str) -> tuple[int, int]:
    if not token:
        return 0, 0
    try:
        place, _, start = base64.b64decode(token).decode().partition(":")
        return int(place), int(start)
    except ValueError as error:
        raise RefusedError(400, "INVALID JSON in continuation token") from error
