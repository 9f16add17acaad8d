"""What a query gives for documents."""

import json
import math
import re
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from itertools import islice
from typing import Any

from tests.standins.cosmos.refusal import RefusedError
from tests.standins.cosmos.sql import Node, Query
from tests.standins.cosmos.value import ORDER, UNDEFINED, at, compare, equal, rank

type Scope = Mapping[str, object]
type Parameters = Mapping[str, object]


def run(query: Query, documents: Iterable[object], parameters: Parameters) -> list[object]:
    """Give the results of a query over documents, in the order of the documents unless it says another."""
    found = [scope for document in documents for scope in _scopes(query, document, parameters)]
    for node, descending in reversed(query.order):
        found.sort(key=partial(_sort_key, node, parameters), reverse=descending or nearest_is_largest(node))
    if query.measure:
        return _measure(query, query.measure, found, parameters)
    results = [value for scope in found if (value := _select(query, scope, parameters)) is not UNDEFINED]
    if query.distinct:
        results = list({json.dumps(value, sort_keys=True): value for value in results}.values())
    skipped, most = _number(query.offset, parameters) or 0, _number(query.top or query.limit, parameters)
    return list(islice(results, skipped, None if most is None else skipped + most))


def _number(node: Node | None, parameters: Parameters) -> int | None:
    value = None if node is None else evaluate(node, {}, parameters)
    return value if isinstance(value, int) else None


def _scopes(query: Query, document: object, parameters: Parameters) -> Iterable[Scope]:
    scopes: list[Scope] = [{query.alias: document, "root": document}]
    sources = [(query.alias, query.source)] if query.source else []
    for alias, node in [*sources, *query.joins]:
        scopes = [
            {**scope, alias: element}
            for scope in scopes
            for element in _elements(evaluate(node, {"c": document, "r": document, **scope}, parameters))
        ]
    return (scope for scope in scopes if query.where is None or evaluate(query.where, scope, parameters) is True)


def _elements(value: object) -> list[object]:
    return value if isinstance(value, list) else []


def _sort_key(node: Node, parameters: Parameters, scope: Scope) -> Any:
    return ORDER(evaluate(node, scope, parameters))


def _select(query: Query, scope: Scope, parameters: Parameters) -> object:
    if query.select is None:
        return scope[query.alias]
    if query.value is not None:
        return evaluate(query.value, scope, parameters)
    return _object([(name, evaluate(node, scope, parameters)) for name, node in query.select])


def _object(fields: Iterable[tuple[str, object]]) -> dict[str, object]:
    return {name: value for name, value in fields if value is not UNDEFINED}


def _measure(query: Query, measure: Node, scopes: list[Scope], parameters: Parameters) -> list[object]:
    values = [value for scope in scopes if (value := _value(measure[2], scope, parameters)) is not UNDEFINED]
    is_part = query.value != measure
    result = _aggregate(str(measure[1]), values, is_part)
    if is_part:
        return [[{} if result is UNDEFINED else {"item": result}]]
    return [] if result is UNDEFINED else [result]


def _aggregate(name: str, values: list[object], is_part: bool) -> object:
    if name == "COUNT":
        return len(values)
    if name in ("MIN", "MAX"):
        ordered = sorted(values, key=ORDER)
        return UNDEFINED if not ordered else ordered[0 if name == "MIN" else -1]
    numbers = [value for value in values if isinstance(value, int | float) and not isinstance(value, bool)]
    if len(numbers) != len(values):
        return UNDEFINED
    if name == "AVG" and is_part:
        return {"sum": sum(numbers), "count": len(numbers)}
    return sum(numbers) if name == "SUM" else sum(numbers) / len(numbers) if numbers else UNDEFINED


def evaluate(node: Node, scope: Scope, parameters: Parameters) -> object:
    """Give the value of an expression."""
    kind, *operands = node
    match kind:
        case "value":
            return operands[0]
        case "name":
            if operands[0] not in scope:
                raise RefusedError(400, f"Identifier '{operands[0]}' could not be resolved.")
            return scope[str(operands[0])]
        case "parameter":
            return parameters.get(str(operands[0]), UNDEFINED)
        case "object":
            return _object((str(field[0]), _value(field[1], scope, parameters)) for field in _fields(operands))
        case "call":
            return _call(str(operands[0]), [_value(part, scope, parameters) for part in operands[1:]])
        case "AND" | "OR":
            return _logical(str(kind), [_value(part, scope, parameters) for part in operands])
    return _operate(str(kind), [_value(part, scope, parameters) for part in operands])


def _fields(operands: list[object]) -> Iterable[tuple[object, object]]:
    return (operand for operand in operands if isinstance(operand, tuple))


def _value(node: object, scope: Scope, parameters: Parameters) -> object:
    assert isinstance(node, tuple)
    return evaluate(node, scope, parameters)


def _logical(kind: str, values: list[object]) -> object:
    decisive = kind == "OR"
    if any(value is decisive for value in values):
        return decisive
    return not decisive if all(value is not decisive and isinstance(value, bool) for value in values) else UNDEFINED


def _operate(kind: str, values: list[object]) -> object:
    match kind, values:
        case "at", [value, step]:
            return at(value, step)
        case "list", _:
            return [value for value in values if value is not UNDEFINED]
        case "in", [value, *options]:
            return any(equal(value, option) is True for option in options)
        case "NOT", [bool(value)]:
            return not value
        case "if", [condition, yes, no]:
            return yes if condition is True else no
        case "coalesce", [value, other]:
            return other if value is UNDEFINED else value
        case "=", [left, right]:
            return equal(left, right)
        case "!=", [left, right]:
            same = equal(left, right)
            return same if same is UNDEFINED else not same
        case "||", [str(left), str(right)]:
            return left + right
        case (("<" | "<=" | ">" | ">="), [left, right]) if rank(left) == rank(right) and 1 < rank(left) < 5:
            sign = compare(left, right)
            return {"<": sign < 0, "<=": sign <= 0, ">": sign > 0, ">=": sign >= 0}[kind]
        case _, [int(value) | float(value)] if kind == "minus":
            return -value
        case _, [(int() | float()) as left, (int() | float()) as right] if kind in _ARITHMETIC:
            return UNDEFINED if kind in "/%" and right == 0 else _ARITHMETIC[kind](left, right)
    return UNDEFINED


_ARITHMETIC: dict[str, Callable[[float, float], float]] = {
    "+": lambda left, right: left + right,
    "-": lambda left, right: left - right,
    "*": lambda left, right: left * right,
    "/": lambda left, right: left / right,
    "%": math.fmod,
}


def _call(name: str, values: list[object]) -> object:
    if name not in _FUNCTIONS:
        raise RefusedError(400, f"'{name}' is not a recognized built-in function name.")
    try:
        return _FUNCTIONS[name](*values)
    except (TypeError, AttributeError, ValueError):
        return UNDEFINED


def _contains(text: object, part: object, ignore_case: object = False) -> object:
    if not isinstance(text, str) or not isinstance(part, str):
        return UNDEFINED
    return part.lower() in text.lower() if ignore_case else part in text


def _like(text: object, pattern: object) -> object:
    if not isinstance(text, str) or not isinstance(pattern, str):
        return UNDEFINED
    return re.fullmatch(re.escape(pattern).replace("%", ".*").replace("_", "."), text, re.DOTALL) is not None


def nearest_is_largest(node: Node) -> bool:
    """Say whether an expression is a distance between vectors that grows with their likeness."""
    return node[:2] == ("call", "VECTORDISTANCE") and "euclidean" not in str(node).lower()


def _distance(left: object, right: object, _exact: object = False, options: object = None) -> object:
    kind = options.get("distanceFunction", "cosine").lower() if isinstance(options, dict) else "cosine"
    if not isinstance(left, list) or not isinstance(right, list) or len(left) != len(right):
        return UNDEFINED
    if kind == "euclidean":
        return math.dist(left, right)
    product = math.sumprod(left, right)
    return product if kind == "dotproduct" else product / (math.hypot(*left) * math.hypot(*right))


_FUNCTIONS: dict[str, Callable[..., object]] = {
    "ABS": abs,
    "ARRAY_CONTAINS": lambda values, wanted, *_: any(equal(value, wanted) is True for value in values),
    "ARRAY_LENGTH": lambda value: len(value) if isinstance(value, list) else UNDEFINED,
    "CONCAT": lambda *parts: "".join(parts),
    "CONTAINS": _contains,
    "ENDSWITH": lambda text, part, *_: text.endswith(part),
    "FLOOR": math.floor,
    "IS_ARRAY": lambda value: isinstance(value, list),
    "IS_BOOL": lambda value: isinstance(value, bool),
    "IS_DEFINED": lambda value: value is not UNDEFINED,
    "IS_NULL": lambda value: value is None,
    "IS_NUMBER": lambda value: rank(value) == 3,
    "IS_OBJECT": lambda value: isinstance(value, dict),
    "IS_STRING": lambda value: isinstance(value, str),
    "LENGTH": lambda text: len(text) if isinstance(text, str) else UNDEFINED,
    "LIKE": _like,
    "LOWER": lambda text: text.lower(),
    "STARTSWITH": lambda text, part, *_: text.startswith(part),
    "SUBSTRING": lambda text, start, length: text[int(start) : int(start + length)],
    "TOSTRING": lambda value: value if isinstance(value, str) else json.dumps(value),
    "UPPER": lambda text: text.upper(),
    "VECTORDISTANCE": _distance,
}
