"""The query plan: what a client must do itself to run a query over several partitions."""

import json
from collections.abc import Mapping

from tests.standins.cosmos.evaluation import evaluate, nearest_is_largest
from tests.standins.cosmos.sql import AGGREGATES, Node, Query

_WHOLE = {"min": "", "max": "FF", "isMinInclusive": True, "isMaxInclusive": False}


def needs_client(query: Query) -> bool:
    """Say whether several partitions' results cannot just be put one after the other."""
    return bool(query.order or _aggregates(query) or query.distinct or query.top or query.offset or query.limit)


def plan(query: Query, parameters: Mapping[str, object]) -> dict[str, object]:
    """Give the plan of a query as the gateway words it."""
    top, offset, limit = (_number(node, parameters) for node in (query.top, query.offset, query.limit))
    fetched = top if limit is None else limit + (offset or 0)
    info: dict[str, object] = {
        "distinctType": ("Ordered" if query.order else "Unordered") if query.distinct else "None",
        "top": top,
        "offset": offset,
        "limit": limit,
        "orderBy": ["Descending" if _descends(node, down) else "Ascending" for node, down in query.order],
        "orderByExpressions": [write(node) for node, _ in query.order],
        "groupByExpressions": [],
        "groupByAliases": [],
        "aggregates": _aggregates(query),
        "groupByAliasToAggregateType": {},
        "rewrittenQuery": _rewrite(query, fetched),
        "hasSelectValue": query.value is not None,
        "hasNonStreamingOrderBy": any("VECTORDISTANCE" in write(node) for node, _ in query.order),
    }
    return {"partitionedQueryExecutionInfoVersion": 2, "queryInfo": info, "queryRanges": [_WHOLE]}


def _descends(node: Node, down: bool) -> bool:
    return down or nearest_is_largest(node)


def _aggregates(query: Query) -> list[str]:
    calls = [query.measure] if query.measure else [node for _, node in query.select or [] if node[0] == "call"]
    return [AGGREGATES[str(call[1])] for call in calls if call[1] in AGGREGATES]


def _number(node: Node | None, parameters: Mapping[str, object]) -> int | None:
    value = None if node is None else evaluate(node, {}, parameters)
    return value if isinstance(value, int) else None


def _rewrite(query: Query, fetched: object) -> str:
    # What is distinct is known only when all partitions' results are together.
    top = "" if fetched is None or query.distinct else f"TOP {fetched} "
    distinct = "DISTINCT " if query.distinct else ""
    if query.measure:
        return f'SELECT VALUE [{{"item": {write(query.measure)}}}] {_rest(query)}'
    if not query.order:
        return f"SELECT {distinct}{top}{_selection(query)} {_rest(query)}"
    items = ", ".join(f'{{"item": {write(node)}}}' for node, _ in query.order)
    order = ", ".join(f"{write(node)} {'DESC' if down else 'ASC'}" for node, down in query.order)
    selected = f"SELECT {distinct}{top}{query.alias}._rid, [{items}] AS orderByItems, {_payload(query)} AS payload"
    return f"{selected} {_rest(query)} ORDER BY {order}"


def _selection(query: Query) -> str:
    if query.select is None:
        return "*"
    return f"VALUE {_payload(query)}"


def _payload(query: Query) -> str:
    if query.select is None:
        return query.alias
    if query.value is not None:
        return write(query.value)
    return "{" + ", ".join(f"{json.dumps(name)}: {write(node)}" for name, node in query.select) + "}"


def _rest(query: Query) -> str:
    source = f"{query.alias} IN {write(query.source)}" if query.source else query.alias
    joins = "".join(f" JOIN {alias} IN {write(node)}" for alias, node in query.joins)
    return f"FROM {source}{joins}" + (f" WHERE {write(query.where)}" if query.where else "")


def write(node: object) -> str:
    """Write an expression as text that reads back as the same expression."""
    assert isinstance(node, tuple)
    kind, *parts = node
    match kind:
        case "value":
            return json.dumps(parts[0])
        case "name" | "parameter":
            return str(parts[0])
        case "at":
            return f"{write(parts[0])}[{write(parts[1])}]"
        case "call":
            return f"{parts[0]}({', '.join(map(write, parts[1:]))})"
        case "list":
            return f"[{', '.join(map(write, parts))}]"
        case "object":
            return "{" + ", ".join(f"{json.dumps(name)}: {write(part)}" for name, part in parts) + "}"
        case "in":
            return f"({write(parts[0])} IN ({', '.join(map(write, parts[1:]))}))"
        case "if":
            return f"({write(parts[0])} ? {write(parts[1])} : {write(parts[2])})"
        case "NOT":
            return f"(NOT {write(parts[0])})"
        case "minus":
            return f"(-{write(parts[0])})"
    sign = "??" if kind == "coalesce" else kind
    return f"({write(parts[0])} {sign} {write(parts[1])})"
