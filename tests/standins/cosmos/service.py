"""The account: databases, containers and what is in them. No HTTP."""

import itertools
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from tests.standins.cosmos.container import Container
from tests.standins.cosmos.document import on_item, on_items
from tests.standins.cosmos.evaluation import run
from tests.standins.cosmos.exchange import Request, Response, charged
from tests.standins.cosmos.partition import Body
from tests.standins.cosmos.refusal import RefusedError
from tests.standins.cosmos.resource_id import DATABASE_BYTES, read_rid, write_rid
from tests.standins.cosmos.sql import parse

THROUGHPUT_OF_A_PARTITION = 10_000
_ABSENT = "Resource Not Found"
_DEFAULT_INDEXING = {
    "indexingMode": "consistent",
    "automatic": True,
    "includedPaths": [{"path": "/*"}],
    "excludedPaths": [{"path": '/"_etag"/?'}],
}


@dataclass
class Database:
    """A database's properties and its containers by name."""

    row: Body
    containers: dict[str, Container] = field(default_factory=dict)


@dataclass
class CosmosService:
    """One account.

    Attributes
    ----------
    elapsed_seconds : float
        Added to the machine's clock: move it to let items expire.
    partitions : int
        Physical partitions of a container when it is made, a power of two.
    """

    elapsed_seconds: float = 0
    partitions: int = 1
    url: str = ""
    databases: dict[str, Database] = field(default_factory=dict)
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(int(time.time() * 1000) & 0x3FFFFFFF))

    def now(self) -> float:
        """Give seconds since 1970 by the movable clock."""
        return time.time() + self.elapsed_seconds

    def container(self, database: str, name: str) -> Container:
        """Give a container, by names or by resource ids."""
        for container in self.database(database).containers.values():
            if name in (container.definition["id"], container.rid):
                return container
        raise RefusedError(404, _ABSENT, 1003)

    def database(self, name: str) -> Database:
        """Give a database, by name or by resource id."""
        for database in self.databases.values():
            if name in (database.row["id"], database.row["_rid"]):
                return database
        raise RefusedError(404, _ABSENT, 1003)

    def answer(self, request: Request) -> Response:
        """Do what a request asks.

        Raises
        ------
        RefusedError
            What Cosmos refuses, and what this stand-in does not cover (501).
        """
        match request.path:
            case ():
                return Response(200, self._account())
            case ("offers",):
                return Response(200, {"_rid": "", "Offers": [], "_count": 0}, charged(1))
            case ("dbs",):
                return self._databases(request)
            case ("dbs", name):
                return self._database(request, name)
            case ("dbs", name, "colls"):
                return self._containers(request, self.database(name))
            case ("dbs", database, "colls", name, *rest):
                return self._in_container(request, database, name, tuple(rest))
        raise RefusedError(501, f"stand-in: /{'/'.join(request.path)} is not covered")

    def _in_container(self, request: Request, database: str, name: str, rest: tuple[str, ...]) -> Response:
        container = self.container(database, name)
        meant = request.headers.get("x-ms-cosmos-intended-collection-rid", container.rid)
        if meant != container.rid:
            raise RefusedError(400, "Collection rid mismatch.", 1024)
        match rest:
            case ():
                response = self._container(request, self.database(database), container)
            case ("pkranges",):
                return _ranges(container, request)
            case ("docs",):
                response = on_items(container, request)
            case ("docs", item):
                response = on_item(container, request, item)
            case _:
                raise RefusedError(501, f"stand-in: /{'/'.join(request.path)} is not covered")
        response.headers.update(
            {
                "x-ms-alt-content-path": f"dbs/{self.database(database).row['id']}/colls/{container.definition['id']}",
                "x-ms-content-path": container.rid,
            }
        )
        return response

    def _account(self) -> Body:
        here = [{"name": "Here", "databaseAccountEndpoint": self.url}]
        return {
            "id": "stand-in",
            "_rid": "stand-in",
            "_self": "",
            "_dbs": "//dbs/",
            "media": "//media/",
            "addresses": "//addresses/",
            "writableLocations": here,
            "readableLocations": here,
            "enableMultipleWriteLocations": False,
            "userReplicationPolicy": {"minReplicaSetSize": 1, "maxReplicasetSize": 4},
            "userConsistencyPolicy": {"defaultConsistencyLevel": "Session"},
            "queryEngineConfiguration": "{}",
        }

    def _databases(self, request: Request) -> Response:
        if request.method == "GET" or request.says("x-ms-documentdb-isquery"):
            return _rows(request, "Databases", [database.row for database in self.databases.values()])
        row: Body = request.json
        name = _new_name(row, self.databases)
        kept = row | self._system(b"", "dbs/{rid}/") | {"_colls": "colls/", "_users": "users/"}
        self.databases[name] = Database(kept)
        return Response(201, kept, charged(5, etag=str(kept["_etag"])))

    def _database(self, request: Request, name: str) -> Response:
        database = self.database(name)
        if request.method == "GET":
            return Response(200, database.row, charged(2, etag=str(database.row["_etag"])))
        _only(request, "DELETE")
        del self.databases[str(database.row["id"])]
        return Response(204, None, charged(5))

    def _containers(self, request: Request, database: Database) -> Response:
        if request.method == "GET" or request.says("x-ms-documentdb-isquery"):
            rows = [container.definition for container in database.containers.values()]
            return _rows(request, "DocumentCollections", rows)
        row: Body = request.json
        name = _new_name(row, database.containers)
        default = row.get("defaultTtl", -1)
        if not isinstance(default, int) or default == 0 or default < -1:
            raise RefusedError(400, "The default ttl must be -1 or greater than 0.")
        if "partitionKey" not in row:
            raise RefusedError(400, "The partition key definition is missing.")
        system = self._system(read_rid(str(database.row["_rid"])), f"{database.row['_self']}colls/{{rid}}/")
        kept = {"indexingPolicy": _DEFAULT_INDEXING} | row | system | {"_docs": "docs/"}
        database.containers[name] = container = Container(kept, str(kept["_rid"]), self.now)
        throughput = int(request.headers.get("x-ms-offer-throughput", "0"))
        while len(container.partitions) < max(self.partitions, throughput / THROUGHPUT_OF_A_PARTITION):
            for partition in list(container.partitions):
                container.split(partition)
        return Response(201, kept, charged(5, etag=str(kept["_etag"])))

    def _container(self, request: Request, database: Database, container: Container) -> Response:
        name = str(container.definition["id"])
        if request.method == "DELETE":
            del database.containers[name]
            return Response(204, None, charged(5))
        if request.method == "PUT":
            row = request.json
            if row.get("partitionKey") != container.definition["partitionKey"]:
                raise RefusedError(400, "The partition key of a container cannot be changed.")
            container.definition = container.definition | row
        else:
            _only(request, "GET")
        return Response(200, container.definition, charged(1, etag=str(container.definition["_etag"])))

    def _system(self, parent: bytes, own: str) -> Body:
        rid = write_rid(parent + next(self._numbers).to_bytes(DATABASE_BYTES, "big"))
        return {"_rid": rid, "_self": own.format(rid=rid), "_etag": f'"{rid}"', "_ts": int(self.now())}


def _new_name(row: Body, taken: dict[str, Any]) -> str:
    name = row.get("id")
    if not isinstance(name, str) or not name or set("/\\?#") & set(name):
        raise RefusedError(400, "The id is missing or has illegal characters.")
    if name in taken:
        raise RefusedError(409, "Resource with specified id, name, or unique index already exists.")
    return name


def _only(request: Request, method: str) -> None:
    if request.method != method:
        raise RefusedError(501, f"stand-in: {request.method} is not covered here")


def _rows(request: Request, kind: str, rows: list[Body]) -> Response:
    found: list[object] = list(rows)
    if request.method == "POST":
        asked = request.json
        parameters = {given["name"]: given["value"] for given in asked.get("parameters") or []}
        found = run(parse(asked["query"]), rows, parameters)
    return Response(200, {"_rid": "", kind: found, "_count": len(found)}, charged(2))


def _ranges(container: Container, request: Request) -> Response:
    etag = f'"{container.version}"'
    headers = charged(1, etag=etag)
    if "a-im" in request.headers and request.headers.get("if-none-match") == etag:
        return Response(304, None, headers)
    rows = [partition.row for partition in container.partitions]
    return Response(200, {"_rid": container.rid, "PartitionKeyRanges": rows, "_count": len(rows)}, headers)


def encode(body: object) -> bytes:
    """Write a body as JSON."""
    return b"" if body is None else json.dumps(body, ensure_ascii=False).encode()
