"""Evaluates the expressions of one file, as the Resource Manager would at the start of its deployment."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import cast

from tree_sitter import Node

from tools.infra.finding import BicepError, Finding
from tools.infra.function import call
from tools.infra.schema import Schema
from tools.infra.source import Source, plain, text
from tools.infra.value import Handle, Runtime, Value, join, kind_of, mix, runtimes

_ESCAPES = {"\\n": "\n", "\\t": "\t", "\\r": "\r"}
_KNOWN_AT_START = {"id", "name", "type", "apiVersion"}


@dataclass(slots=True)
class Evaluator:
    """Evaluates expressions of a file.

    Parameters
    ----------
    lookup : callable
        Gives the value of a name, or raises KeyError.
    taken : set of (str, int)
        Gets each branch that was taken, by file and byte, so that one which never is can be told.
    """

    source: Source
    schema: Schema
    lookup: Callable[[str], Value]
    taken: set[tuple[str, int]]
    local: dict[str, Value] = field(default_factory=dict)

    def with_local(self, names: Mapping[str, Value]) -> "Evaluator":
        """Give an evaluator that knows a loop's variables, too."""
        return Evaluator(self.source, self.schema, self.lookup, self.taken, {**self.local, **names})

    def fail(self, node: Node, why: str) -> BicepError:
        """Give the error that something at a node is."""
        return BicepError(Finding(self.source.place(node), why))

    def value(self, node: Node) -> Value:
        """Give an expression's value.

        Raises
        ------
        BicepError
            It names something that is not there, or does what cannot be done.
        """
        method = getattr(self, f"_{node.type}", None)
        if method is None:
            raise self.fail(node, f"this check knows no {node.type}")
        return cast(Value, method(node))

    def loop(self, node: Node) -> list[tuple["Evaluator", Node]]:
        """Give the body of a `for`, once for each item, with an evaluator that knows the item."""
        variables = node.named_children[0]
        names = [text(each) for each in variables.named_children] or [text(variables)]
        items = self.value(node.named_children[1])
        if not isinstance(items, list):
            raise self.fail(node, f"a loop is over an array, not {kind_of(items)}")
        body = node.named_children[2]
        return [(self.with_local(dict(zip(names, (item, i), strict=False))), body) for i, item in enumerate(items)]

    def _identifier(self, node: Node) -> Value:
        name = text(node)
        if name in self.local:
            return self.local[name]
        try:
            return self.lookup(name)
        except KeyError:
            raise self.fail(node, f"{name} is not declared") from None

    def _string(self, node: Node) -> Value:
        if text(node).startswith("'''"):
            return plain(node)
        return join([self._part(part) for part in node.named_children])

    def _part(self, node: Node) -> Value:
        if node.type == "interpolation":
            return self.value(node.named_children[0])
        return _ESCAPES.get(text(node), text(node).removeprefix("\\")) if node.type == "escape_sequence" else text(node)

    def _number(self, node: Node) -> Value:
        return int(text(node))

    def _boolean(self, node: Node) -> Value:
        return text(node) == "true"

    def _null(self, node: Node) -> Value:
        return None

    def _parenthesized_expression(self, node: Node) -> Value:
        return self.value(node.named_children[0])

    def _array(self, node: Node) -> Value:
        return [self.value(item) for item in node.named_children if item.type != "comment"]

    def _object(self, node: Node) -> Value:
        found: dict[str, Value] = {}
        for entry in (each for each in node.named_children if each.type == "object_property"):
            name, value = (each for each in entry.named_children if each.type != "comment")
            key = str(self.value(name)) if name.type == "string" else text(name)
            if key in found:
                raise self.fail(entry, f"{key} is given twice")
            found[key] = self.value(value)
        return found

    def _for_statement(self, node: Node) -> Value:
        return [inner.value(body) for inner, body in self.loop(node)]

    def _ternary_expression(self, node: Node) -> Value:
        condition = _field(node, "condition")
        chosen = _field(node, "consequence" if self.truth(condition) else "alternative")
        self.taken.add((self.source.label, chosen.start_byte))
        return self.value(chosen)

    def truth(self, node: Node) -> bool:
        """Give the value of a condition, which must be known when the deployment begins."""
        value = self.value(node)
        if not isinstance(value, bool):
            raise self.fail(node, f"a condition is a bool known at the start, not {kind_of(value)}")
        return value

    def _unary_expression(self, node: Node) -> Value:
        return not self.truth(node.named_children[-1])

    def _binary_expression(self, node: Node) -> Value:
        left, right = (self.value(_field(node, side)) for side in ("left", "right"))
        operator = text(_field(node, "operator"))
        if unknown := runtimes([left, right]):
            return mix(text(node), unknown, "any" if operator == "??" else "bool")
        operations: dict[str, Callable[[], Value]] = {
            "==": lambda: left == right,
            "!=": lambda: left != right,
            "&&": lambda: left is True and right is True,
            "||": lambda: left is True or right is True,
            "??": lambda: right if left is None else left,
        }
        if operator not in operations:
            raise self.fail(node, f"this check knows no operator {operator}")
        return operations[operator]()

    def _call_expression(self, node: Node) -> Value:
        function, given = _field(node, "function"), _field(node, "arguments")
        arguments = [self.value(each) for each in given.named_children if each.type != "comment"]
        if function.type == "member_expression":
            return self._method(function)
        if text(function) == "loadJsonContent":
            return self._json(node, str(arguments[0]))
        try:
            return call(text(function), arguments)
        except ValueError as error:
            raise self.fail(node, str(error)) from error

    def _method(self, function: Node) -> Value:
        name = text(_field(function, "property"))
        if not name.startswith("list"):
            raise self.fail(function, f"this check knows no method {name}")
        return Runtime(text(function), "any", self.source.label, secret=True)

    def _json(self, node: Node, name: str) -> Value:
        try:
            return cast(Value, json.loads((self.source.path.parent / name).read_text("utf-8")))
        except (OSError, ValueError) as error:
            raise self.fail(node, f"{name} cannot be read: {error}") from error

    def _subscript_expression(self, node: Node) -> Value:
        owner, index = (self.value(each) for each in node.named_children)
        try:
            return owner[index]  # type: ignore[index] # whatever cannot be indexed raises
        except (TypeError, KeyError, IndexError) as error:
            raise self.fail(node, f"{text(node)}: there is no {error}") from error

    def _member_expression(self, node: Node) -> Value:
        given, name = _field(node, "object"), text(_field(node, "property"))
        owner = self.value(given)
        if isinstance(owner, Handle):
            return self._member_of(node, owner, name)
        if isinstance(owner, Runtime):
            return self._runtime_member(node, owner, name)
        if isinstance(owner, dict) and (name in owner or ".?" in {text(each) for each in node.children}):
            return owner.get(name)
        raise self.fail(node, f"{text(given)} has no {name}")

    def _member_of(self, node: Node, owner: Handle, name: str) -> Value:
        if owner.outputs is not None:
            return Runtime(text(node), f"outputs of {owner.name}", self.source.label)
        if name in _KNOWN_AT_START:
            return {"id": owner.id, "name": owner.given_name}.get(name, owner.type)
        kind = self.schema.member(f"resource {owner.type}", name)
        if kind is None:
            raise self.fail(node, f"{owner.type} has no {name}")
        return Runtime(text(node), kind, owner.file)

    def _runtime_member(self, node: Node, owner: Runtime, name: str) -> Value:
        if owner.type.startswith("outputs of "):
            module = self.lookup(owner.type.removeprefix("outputs of "))
            assert isinstance(module, Handle)
            if name not in (module.outputs or {}):
                raise self.fail(node, f"the module {module.name} has no output {name}")
            value = (module.outputs or {})[name]
            return Runtime(text(node), "any" if isinstance(value, (list, dict)) else kind_of(value), self.source.label)
        kind = "any" if owner.type == "any" else self.schema.member(owner.type, name)
        if kind is None:
            raise self.fail(node, f"{text(_field(node, 'object'))} has no {name}")
        return mix(text(node), [owner], kind)


def _field(node: Node, name: str) -> Node:
    found = node.child_by_field_name(name)
    assert found is not None, f"{node.type} without {name}"
    return found
