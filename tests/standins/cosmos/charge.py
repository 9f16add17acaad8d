"""Request units, roughly as Microsoft publishes them: a point read of 1 KB costs 1, a create about 5, of 100 KB ten
times as much. What is derived from this is good for comparing designs, not for an invoice."""

import json

_INDEXED_TERM = 0.15


def kilobytes_factor(size_bytes: int) -> float:
    """Give how much more an item costs than one of 1 KB."""
    return 1 + max(0, size_bytes / 1024 - 1) / 11


def read_charge(size_bytes: int) -> float:
    """Give the charge of a point read."""
    return round(kilobytes_factor(size_bytes), 2)


def write_charge(size_bytes: int, indexed_terms: int, versions: int = 1) -> float:
    """Give the charge of a write; `versions` is 2 where an old version must leave the index."""
    return round(versions * (5 * kilobytes_factor(size_bytes) + _INDEXED_TERM * indexed_terms), 2)


def query_charge(size_bytes: int, count: int) -> float:
    """Give the charge of one page of a query."""
    return round(2.3 + 0.05 * count + 0.25 * size_bytes / 1024, 2)


def feed_charge(size_bytes: int, count: int) -> float:
    """Give the charge of one page of the change feed or of a read feed."""
    return round(1 + 0.02 * count + 0.2 * size_bytes / 1024, 2)


def indexed_terms(body: object, policy: object) -> int:
    """Count the values of an item that an indexing policy includes."""
    if not isinstance(policy, dict) or policy.get("indexingMode") == "none":
        return 0
    included = [str(entry.get("path", "")) for entry in policy.get("includedPaths", [{"path": "/*"}])]
    if "/*" not in included:
        return len(included)
    return json.dumps(body).count(":")


def size_of(body: object) -> int:
    """Give the size of an item's JSON in bytes."""
    return len(json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode())
