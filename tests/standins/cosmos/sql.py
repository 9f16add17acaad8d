"""The query language, as far as it is covered: text in, tree out. What is not covered is refused, never guessed."""

import re
from dataclasses import dataclass, replace
from typing import Any, NoReturn

from tests.standins.cosmos.refusal import RefusedError

type Node = tuple[object, ...]
"""An expression: an operator's name, then its operands."""

_TOKEN = re.compile(
    r"""\s*(?:(?P<number>\d+\.?\d*(?:[eE][+-]?\d+)?)|(?P<name>[A-Za-z_]\w*)|(?P<parameter>@\w+)
    |(?P<string>"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*')|(?P<sign><=|>=|!=|<>|\?\?|\|\||[-+*/%=<>()\[\]{},.:?]))""",
    re.VERBOSE,
)
_LEVELS = (("OR",), ("AND",), ("=", "!=", "<>", "<", "<=", ">", ">="), ("||",), ("+", "-"), ("*", "/", "%"))
_CLAUSES = {"FROM", "WHERE", "ORDER", "GROUP", "OFFSET", "LIMIT", "JOIN", "AS", "IN", "BETWEEN", "LIKE", "ASC", "DESC"}
_DISTANCE_WITH_OPTIONS = 5
AGGREGATES = {"COUNT": "Count", "SUM": "Sum", "MIN": "Min", "MAX": "Max", "AVG": "Average"}


@dataclass(frozen=True, slots=True)
class Query:
    """A query's parts; `select` is None for `*`, `joins` are (alias, expression) in order."""

    alias: str
    source: Node | None
    select: list[tuple[str, Node]] | None
    value: Node | None
    joins: list[tuple[str, Node]]
    where: Node | None
    order: list[tuple[Node, bool]]
    top: Node | None
    offset: Node | None
    limit: Node | None
    distinct: bool

    @property
    def measure(self) -> Node | None:
        """The call of an aggregate function that is all that the query asks for, if it is."""
        match self.value:
            case ("call", str(name), argument) if name in AGGREGATES:
                return ("call", name, argument)
            case ("list", ("object", ("item", ("call", str(name), argument)))) if name in AGGREGATES:
                return ("call", name, argument)
        return None


def parse(text: str) -> Query:
    """Read a query.

    Raises
    ------
    RefusedError
        It is malformed (400) or not covered (501).
    """
    return _Parser(text).query()


def measured(query: Query, functions: dict[str, str]) -> Query:
    """Say at each distance between vectors which function the container's policy has for its property.

    Parameters
    ----------
    functions : dict of str to str
        Distance function by the name of the property.
    """

    def say(node: Any) -> Any:
        if not isinstance(node, tuple):
            return node
        parts = tuple(say(part) for part in node)
        if parts[:2] != ("call", "VECTORDISTANCE") or len(parts) > _DISTANCE_WITH_OPTIONS:
            return parts
        names = [name for name in functions if ("value", name) in (*parts[2], *parts[3])]
        kind = functions[names[0]] if names else "cosine"
        return (*parts[:4], ("value", False), ("object", ("distanceFunction", ("value", kind))))

    return replace(
        query,
        select=query.select and [(name, say(node)) for name, node in query.select],
        value=say(query.value),
        where=say(query.where),
        order=[(say(node), down) for node, down in query.order],
    )


class _Parser:
    def __init__(self, text: str) -> None:
        self._text, self._place = text, 0
        self._tokens: list[tuple[str, str]] = []
        while self._place < len(text.rstrip()):
            match = _TOKEN.match(text, self._place)
            if match is None:
                self._fail(text[self._place :])
            self._tokens.append((str(match.lastgroup), match.group().strip()))
            self._place = match.end()
        self._next = 0

    def query(self) -> Query:
        self._expect("SELECT")
        distinct = self._take("DISTINCT")
        top = self._atom() if self._take("TOP") else None
        select, value = self._selection()
        alias, source, joins = self._sources()
        where = self._expression() if self._take("WHERE") else None
        if self._peek() == "GROUP":
            raise RefusedError(501, "stand-in: GROUP BY is not covered")
        order = self._order()
        offset = self._atom() if self._take("OFFSET") else None
        limit = self._atom() if self._take("LIMIT") else None
        if self._next != len(self._tokens):
            self._fail(self._peek())
        return Query(alias, source, select, value, joins, where, order, top, offset, limit, distinct)

    def _selection(self) -> tuple[list[tuple[str, Node]] | None, Node | None]:
        if self._take("*"):
            return None, None
        if self._take("VALUE"):
            return [], self._expression()
        fields: list[tuple[str, Node]] = []
        while not fields or self._take(","):
            node = self._expression()
            named = self._take("AS") or (self._kind() == "name" and self._peek() not in _CLAUSES)
            fields.append((self._name() if named else _name_of(node, len(fields)), node))
        return fields, None

    def _sources(self) -> tuple[str, Node | None, list[tuple[str, Node]]]:
        if not self._take("FROM"):
            return "root", None, []
        alias = self._name()
        source: Node | None = None
        if self._take("IN"):
            source = self._expression(len(_LEVELS))
        elif self._take("AS") or (self._kind() == "name" and self._peek() not in _CLAUSES):
            alias = self._name()
        joins = []
        while self._take("JOIN"):
            name = self._name()
            self._expect("IN")
            joins.append((name, self._expression(len(_LEVELS))))
        return alias, source, joins

    def _order(self) -> list[tuple[Node, bool]]:
        if not self._take("ORDER"):
            return []
        self._expect("BY")
        order: list[tuple[Node, bool]] = []
        while not order or self._take(","):
            node = self._expression()
            order.append((node, self._take("DESC")))
            self._take("ASC")
        return order

    def _expression(self, level: int = 0) -> Node:
        if level == len(_LEVELS):
            return self._unary()
        left = self._expression(level + 1)
        while True:
            sign = self._peek()
            if sign in _LEVELS[level]:
                self._next += 1
                left = (sign.replace("<>", "!="), left, self._expression(level + 1))
            elif level == 2 and sign in ("IN", "BETWEEN", "LIKE", "NOT"):
                left = self._condition(left)
            else:
                return self._ternary(left) if level == 0 else left

    def _ternary(self, condition: Node) -> Node:
        if self._take("??"):
            return ("coalesce", condition, self._expression())
        if not self._take("?"):
            return condition
        yes = self._expression()
        self._expect(":")
        return ("if", condition, yes, self._expression())

    def _condition(self, left: Node) -> Node:
        if self._take("NOT"):
            return ("NOT", self._condition(left))
        if self._take("IN"):
            self._expect("(")
            return ("in", left, *self._list(")"))
        if self._take("BETWEEN"):
            low = self._expression(3)
            self._expect("AND")
            return ("AND", (">=", left, low), ("<=", left, self._expression(3)))
        self._expect("LIKE")
        return ("call", "LIKE", left, self._expression(3))

    def _unary(self) -> Node:
        if self._take("NOT"):
            return ("NOT", self._expression(2))
        if self._take("-"):
            return ("minus", self._unary())
        return self._path(self._atom())

    def _path(self, node: Node) -> Node:
        while True:
            if self._take("."):
                node = ("at", node, ("value", self._name()))
            elif self._take("["):
                node = ("at", node, self._expression())
                self._expect("]")
            else:
                return node

    def _atom(self) -> Node:
        kind, text = self._tokens[self._next] if self._next < len(self._tokens) else ("end", "")
        self._next += 1
        if kind == "number":
            return ("value", float(text) if {".", "e", "E"} & set(text) else int(text))
        if kind == "string":
            return ("value", re.sub(r"\\(.)", r"\1", text[1:-1]))
        if kind == "parameter":
            return ("parameter", text)
        if kind == "name":
            return self._word(text)
        if text == "(":
            node = self._expression()
            self._expect(")")
            return node
        if text == "[":
            return ("list", *self._list("]"))
        return self._object() if text == "{" else self._fail(text)

    def _word(self, text: str) -> Node:
        constants = {"true": True, "false": False, "null": None}
        if text.lower() in constants:
            return ("value", constants[text.lower()])
        if self._take("("):
            return ("call", text.upper(), *self._list(")"))
        return ("name", text)

    def _object(self) -> Node:
        fields: list[object] = []
        while not self._take("}"):
            key = self._tokens[self._next][1].strip("\"'")
            self._next += 1
            self._expect(":")
            fields.append((key, self._expression()))
            self._take(",")
        return ("object", *fields)

    def _list(self, end: str) -> list[Node]:
        nodes: list[Node] = []
        while not self._take(end):
            nodes.append(self._expression())
            self._take(",")
        return nodes

    def _name(self) -> str:
        self._next += 1
        return self._tokens[self._next - 1][1]

    def _kind(self) -> str:
        return self._tokens[self._next][0] if self._next < len(self._tokens) else "end"

    def _peek(self) -> str:
        kind, text = self._tokens[self._next] if self._next < len(self._tokens) else ("end", "")
        return text.upper() if kind == "name" else "" if kind == "string" else text

    def _take(self, word: str) -> bool:
        found = self._peek() == word
        self._next += found
        return found

    def _expect(self, word: str) -> None:
        if not self._take(word):
            self._fail(self._peek())

    def _fail(self, near: str) -> NoReturn:
        raise RefusedError(400, f"Syntax error, incorrect syntax near '{near}'. Query: {self._text}")


def _name_of(node: Node, place: int) -> str:
    if node[0] == "at" and isinstance(last := node[-1], tuple) and last[0] == "value":
        return str(last[1])
    return str(node[1]) if node[0] == "name" else f"${place + 1}"
