"""What a file declares and does not use, or uses in no case; and files that nobody uses."""

from collections.abc import Iterable, Iterator
from pathlib import Path

from tree_sitter import Node

from tools.infra.finding import Finding
from tools.infra.source import KINDS, Source, descendants, text

_NAMING = {*KINDS, "object_property", "loop_variable", "loop_enumerator"}


def unused(source: Source) -> Iterator[Finding]:
    """Give the parameters and variables that nothing in their file mentions, and names that are declared twice."""
    mentioned = {text(node) for node in descendants(source.root) if node.type == "identifier" and not _names(node)}
    seen: set[str] = set()
    for each in source.of("param", "var", "resource", "module"):
        if each.kind in ("param", "var") and each.name not in mentioned:
            yield Finding(source.place(each.line), f"{each.kind} {each.name} is not used")
        if each.name in seen:
            yield Finding(source.place(each.line), f"{each.name} is declared twice")
        seen.add(each.name)


def never_taken(source: Source, taken: set[tuple[str, int]]) -> Iterator[Finding]:
    """Give the declarations and branches that no case evaluates: nothing is known of them."""
    for each in source.of("resource", "module"):
        if (source.label, each.line) not in taken:
            yield Finding(source.place(each.line), f"{each.name} is made in no case of tools/infra/case.py")
    for node in descendants(source.root):
        for branch in _branches(node):
            if (source.label, branch.start_byte) not in taken:
                yield Finding(source.place(branch), f"{text(branch)[:40]} is taken in no case of tools/infra/case.py")


def orphans(root: Path, used: Iterable[Path]) -> Iterator[Finding]:
    """Give the Bicep files that no module names."""
    known = {path.resolve() for path in used}
    for path in sorted(root.rglob("*.bicep")):
        if path.resolve() not in known:
            yield Finding(path.relative_to(root).as_posix(), "no module uses this file")


def _names(node: Node) -> bool:
    parent = node.parent
    return parent is not None and parent.type in _NAMING and parent.named_children[0] == node


def _branches(node: Node) -> Iterator[Node]:
    if node.type == "ternary_expression":
        for name in ("consequence", "alternative"):
            branch = node.child_by_field_name(name)
            assert branch
            yield branch
