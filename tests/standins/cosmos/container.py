"""A container: items in physical partitions, written one by one or in a batch that happens as a whole or not."""

import itertools
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from uuid import uuid4

from tests.standins.cosmos.charge import indexed_terms, read_charge, size_of, write_charge
from tests.standins.cosmos.effective_key import Key, effective_key
from tests.standins.cosmos.partition import Body, Item, Partition, successor
from tests.standins.cosmos.refusal import RefusedError
from tests.standins.cosmos.resource_id import DATABASE_BYTES, read_rid, write_rid
from tests.standins.cosmos.value import UNDEFINED, at

LARGEST_BYTES = 2 * 1024 * 1024
LONGEST_BATCH = 100
_STEP = re.compile(r""""[^"]*"|'[^']*'|[^/]+""")
FORBIDDEN = set("/\\?#")


@dataclass(frozen=True, slots=True)
class Answer:
    """What a request for one item gives."""

    status: int
    item: Item | None
    charge: float
    lsn: int = 0
    partition: str = "0"


@dataclass(frozen=True, slots=True)
class Condition:
    """The etags that a request goes by; empty for none."""

    if_match: str = ""
    if_none_match: str = ""


@dataclass
class Container:
    """Items by partition key.

    Attributes
    ----------
    definition : dict
        The container's properties: id, partitionKey, indexingPolicy, defaultTtl and so on.
    now : callable
        Seconds since 1970, the stand-in's movable clock.
    """

    definition: Body
    rid: str
    now: Callable[[], float]
    partitions: list[Partition] = field(default_factory=list)
    version: int = 1
    _numbers: Iterator[int] = field(default_factory=itertools.count)
    _documents: Iterator[int] = field(default_factory=lambda: itertools.count(1))
    _lsn: int | None = None

    def __post_init__(self) -> None:
        self.partitions = self.partitions or [Partition(str(next(self._numbers)), "", "FF")]

    def split(self, partition: Partition) -> None:
        """Divide a physical partition in two; its range id is gone from now on."""
        ids = (str(next(self._numbers)), str(next(self._numbers)))
        place = self.partitions.index(partition)
        self.partitions[place : place + 1] = partition.halves(ids)
        self.version += 1

    def key_of(self, body: Body) -> Key:
        """Give an item's partition key."""
        definition = self.definition["partitionKey"]
        assert isinstance(definition, dict)
        values = [at(body, *map(_unquoted, _STEP.findall(path))) for path in definition["paths"]]
        return tuple(UNDEFINED if isinstance(value, dict | list) else value for value in values)

    def at(self, hashed: str) -> Partition:
        """Give the physical partition of a hashed key."""
        return next(partition for partition in self.partitions if partition.low <= hashed < partition.high)

    def numbered(self, range_id: str) -> Partition:
        """Give a physical partition by its id; one that was split is gone."""
        for partition in self.partitions:
            if partition.id == range_id:
                return partition
        raise RefusedError(410, "The requested partition key range is gone.", 1002)

    def sweep(self) -> None:
        """Forget what has expired."""
        for partition in self.partitions:
            for item in [item for item in partition.items.values() if self._expired(item)]:
                partition.remove(item.place)

    def create(self, key: Key, body: Body, _name: str = "", _condition: Condition = Condition()) -> Answer:
        """Add an item that is not there yet."""
        if self._find(key, _id_of(body)) is not None:
            raise RefusedError(409, "Entity with the specified id already exists in the system.")
        return self._write(key, body, 201)

    def upsert(self, key: Key, body: Body, _name: str = "", condition: Condition = Condition()) -> Answer:
        """Add an item or replace it."""
        current = self._find(key, _id_of(body))
        _check(current, condition)
        return self._write(key, body, 201 if current is None else 200)

    def replace(self, key: Key, body: Body, name: str, condition: Condition = Condition()) -> Answer:
        """Replace an item that is there."""
        current = self._get(key, name)
        _check(current, condition)
        if current.body["id"] != _id_of(body):
            self.at(current.place[0]).remove(current.place)
        return self._write(key, body, 200, current)

    def delete(self, key: Key, _body: Body, name: str, condition: Condition = Condition()) -> Answer:
        """Remove an item."""
        current = self._get(key, name)
        _check(current, condition)
        partition = self.at(current.place[0])
        partition.remove(current.place)
        partition.lsn = self._next_lsn(partition)
        return Answer(204, None, self._write_charge(current.body, 1), partition.lsn, partition.id)

    def read(self, key: Key, _body: Body, name: str, condition: Condition = Condition()) -> Answer:
        """Give an item; 304 where the reader has this version already."""
        current = self._get(key, name)
        known = condition.if_none_match == current.body["_etag"]
        partition = self.at(current.place[0])
        charge = read_charge(current.size_bytes)
        return Answer(304 if known else 200, current, charge, partition.lsn, partition.id)

    def batch(self, key: Key, operations: list[Body]) -> list[Body]:
        """Do several operations on one partition key as a whole or not at all."""
        if not operations:
            raise RefusedError(400, "Batch request has no operations.")
        if len(operations) > LONGEST_BATCH:
            raise RefusedError(400, "Batch request has more operations than what is supported.")
        partition = self.at(effective_key(key))
        before, lsn = dict(partition.items), partition.lsn
        self._lsn = lsn + 1
        results: list[Body] = []
        try:
            for operation in operations:
                results.append(self._result(key, operation))
        except RefusedError as refusal:
            partition.restore(before, lsn)
            failed: Body = {"statusCode": refusal.status, "subStatusCode": refusal.substatus, "requestCharge": 1.3}
            skipped: Body = {"statusCode": 424, "requestCharge": 0}
            return [*([skipped] * len(results)), failed, *([skipped] * (len(operations) - len(results) - 1))]
        finally:
            self._lsn = None
        return results

    def _result(self, key: Key, operation: Body) -> Body:
        does: dict[str, Callable[[Key, Body, str, Condition], Answer]] = {
            "Create": self.create,
            "Upsert": self.upsert,
            "Replace": self.replace,
            "Delete": self.delete,
            "Read": self.read,
        }
        kind = str(operation["operationType"])
        if kind not in does:
            raise RefusedError(501, f"stand-in: {kind} in a batch is not covered")
        body, name = operation.get("resourceBody", {}), str(operation.get("id", ""))
        assert isinstance(body, dict)
        condition = Condition(str(operation.get("ifMatch", "")), str(operation.get("ifNoneMatch", "")))
        answer = does[kind](key, body, name, condition)
        result: Body = {"statusCode": answer.status, "requestCharge": answer.charge}
        return (
            result
            if answer.item is None
            else result
            | {
                "eTag": answer.item.body["_etag"],
                "resourceBody": answer.item.body,
            }
        )

    def _write(self, key: Key, body: Body, status: int, current: Item | None = None) -> Answer:
        self._check_key(key, body)
        hashed = effective_key(key)
        partition = self.at(hashed)
        partition.lsn = self._next_lsn(partition)
        current = current or partition.items.get((hashed, _id_of(body)))
        kept = body | self._system(self._new_rid() if current is None else str(current.body["_rid"]))
        item = Item((hashed, _id_of(body)), kept, partition.lsn, _sized(body), self._expiry(body))
        partition.put(item)
        return Answer(status, item, self._write_charge(body, 1 if status == 201 else 2), partition.lsn, partition.id)

    def _check_key(self, key: Key, body: Body) -> None:
        if self.key_of(body) != key:
            raise RefusedError(400, "PartitionKey extracted from document doesn't match the one in the header.", 1001)

    def _write_charge(self, body: Body, versions: int) -> float:
        return write_charge(size_of(body), indexed_terms(body, self.definition.get("indexingPolicy")), versions)

    def _new_rid(self) -> str:
        return write_rid(read_rid(self.rid) + next(self._documents).to_bytes(8, "little"))

    def _system(self, rid: str) -> Body:
        home = write_rid(read_rid(self.rid)[:DATABASE_BYTES])
        return {
            "_rid": rid,
            "_self": f"dbs/{home}/colls/{self.rid}/docs/{rid}/",
            "_etag": f'"{uuid4()}"',
            "_attachments": "attachments/",
            "_ts": int(self.now()),
        }

    def _next_lsn(self, partition: Partition) -> int:
        # All of a batch is one change.
        return partition.lsn + 1 if self._lsn is None else self._lsn

    def _expiry(self, body: Body) -> float | None:
        default, own = self.definition.get("defaultTtl"), body.get("ttl", -1)
        if not isinstance(own, int) or own == 0 or own < -1:
            raise RefusedError(400, f"The input ttl '{own}' is invalid. Ttl must be -1 or greater than 0.")
        seconds = body.get("ttl", default) if default is not None else None
        return None if seconds is None or seconds == -1 else int(self.now()) + float(str(seconds))

    def _expired(self, item: Item) -> bool:
        return item.expires_at is not None and item.expires_at <= self.now()

    def _find(self, key: Key, name: str) -> Item | None:
        hashed = effective_key(key)
        item = self.at(hashed).items.get((hashed, name)) or self._by_rid(hashed, name)
        if item is not None and self._expired(item):
            self.at(hashed).remove(item.place)
            return None
        return item

    def _by_rid(self, hashed: str, rid: str) -> Item | None:
        found = self.at(hashed).within(hashed, successor(hashed)) if rid.endswith("==") else []
        return next((item for item in found if item.body["_rid"] == rid), None)

    def _get(self, key: Key, name: str) -> Item:
        item = self._find(key, name)
        if item is None:
            raise RefusedError(404, "Entity with the specified id does not exist in the system.")
        return item


def _unquoted(step: str) -> str:
    return step[1:-1] if step[0] in "\"'" else step


def _check(current: Item | None, condition: Condition) -> None:
    etag = "" if current is None else str(current.body["_etag"])
    if condition.if_match not in ("", "*", etag) and current is not None:
        raise RefusedError(412, "Operation cannot be performed because one of the precondition is not met.")
    if condition.if_none_match == "*" and current is not None:
        raise RefusedError(412, "Operation cannot be performed because one of the precondition is not met.")


def _id_of(body: Body) -> str:
    name = body.get("id", UNDEFINED)
    if not isinstance(name, str) or not name:
        raise RefusedError(400, "The input content is invalid because the required properties - 'id; ' - are missing")
    if FORBIDDEN & set(name) or len(name.encode()) > 1023 or name.endswith(" "):
        raise RefusedError(400, f"Illegal characters or length of id: {json.dumps(name)}")
    return name


def _sized(body: Body) -> int:
    size = size_of(body)
    if size > LARGEST_BYTES:
        raise RefusedError(413, "Request size is too large")
    return size
