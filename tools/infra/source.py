"""A Bicep file, parsed by tree-sitter and taken apart into its declarations.

The grammar is older than the language: it knows no spread (`...x`), and takes `a ? b : c.d` for `(a ? b : c).d`. So
neither is used here; what it cannot parse is a finding.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import tree_sitter_bicep
from tree_sitter import Language, Node, Parser

from tools.infra.finding import BicepError, Finding

KINDS = {
    "parameter_declaration": "param",
    "variable_declaration": "var",
    "resource_declaration": "resource",
    "module_declaration": "module",
    "output_declaration": "output",
}


@dataclass(frozen=True, slots=True)
class Declaration:
    """A named thing in a file.

    Attributes
    ----------
    kind : str
        `param`, `var`, `resource`, `module` or `output`.
    form : str
        A parameter's or output's type, a resource's `type@version`, a module's path; empty for a variable.
    value : Node or None
        Its expression; None for a parameter without a default.
    decorators : dict of str to Node
        The arguments of each decorator, by its name.
    existing : bool
        Whether a resource is only referred to.
    """

    kind: str
    name: str
    form: str
    value: Node | None
    decorators: dict[str, Node]
    existing: bool
    line: int


@dataclass(frozen=True, slots=True)
class Source:
    """A parsed file; `label` is its path as findings name it."""

    path: Path
    label: str
    scope: str
    declarations: tuple[Declaration, ...]
    root: Node

    def of(self, *kinds: str) -> list[Declaration]:
        """Give the declarations of some kinds, in their order."""
        return [each for each in self.declarations if each.kind in kinds]

    def place(self, where: Node | int) -> str:
        """Say where something is."""
        return f"{self.label}:{where if isinstance(where, int) else where.start_point.row + 1}"


@cache
def _parser() -> Parser:
    return Parser(Language(tree_sitter_bicep.language()))


def text(node: Node | None) -> str:
    """Give a node's source text; empty for None."""
    return (node.text or b"").decode() if node else ""


def descendants(node: Node) -> Iterator[Node]:
    """Give a node and all below it."""
    yield node
    for child in node.children:
        yield from descendants(child)


def plain(node: Node) -> str:
    """Give the content of a string that interpolates nothing."""
    return "".join(text(part) for part in node.named_children)


def read(path: Path, root: Path) -> Source:
    """Parse a file.

    Raises
    ------
    BicepError
        It does not exist, or is not Bicep as the grammar knows it.
    """
    label = path.resolve().relative_to(root.resolve()).as_posix()
    if not path.is_file():
        raise BicepError(Finding(label, "there is no such file"))
    tree = _parser().parse(path.read_bytes()).root_node
    for node in descendants(tree):
        if node.is_error or node.is_missing:
            raise BicepError(Finding(f"{label}:{node.start_point.row + 1}", f"syntax: {text(node)[:60]!r}"))
    scopes = [plain(each.named_children[0]) for each in tree.children if each.type == "target_scope_assignment"]
    return Source(path, label, (scopes or ["resourceGroup"])[0], tuple(_declarations(tree, label)), tree)


def _declarations(tree: Node, label: str) -> Iterator[Declaration]:
    decorators: dict[str, Node] = {}
    for node in tree.named_children:
        if node.type == "decorators":
            calls = [each.named_children[0] for each in node.named_children]
            decorators = {text(call.child_by_field_name("function")): call for call in calls}
        elif node.type in KINDS:
            yield _declaration(node, decorators)
            decorators = {}
        elif node.type not in ("comment", "target_scope_assignment", "diagnostic_comment"):
            raise BicepError(Finding(f"{label}:{node.start_point.row + 1}", f"this check knows no {node.type}"))


def _declaration(node: Node, decorators: dict[str, Node]) -> Declaration:
    kind = KINDS[node.type]
    name, *rest = [each for each in node.named_children if each.type != "comment"]
    form = ""
    if kind in ("resource", "module"):
        form, rest = plain(rest[0]), rest[1:]
    elif kind in ("param", "output"):
        form, rest = text(rest[0]), rest[1:]
    existing = any(each.type == "existing" for each in node.children)
    value = rest[-1] if rest else None
    return Declaration(kind, text(name), form, value, decorators, existing, node.start_point.row + 1)
