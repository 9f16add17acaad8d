"""Expands a Bicep file and its modules into the resources that a deployment with given parameters makes."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

from tree_sitter import Node

from tools.infra.expression import Evaluator
from tools.infra.finding import BicepError, Finding
from tools.infra.function import SUBSCRIPTION
from tools.infra.schema import EXTENSIONS, ResourceType, Schema
from tools.infra.source import Declaration, Source, plain, read
from tools.infra.value import Handle, Runtime, Value, kind_of

_FORMS = {"string": "string", "int": "int", "bool": "bool", "object": "object", "array": "array"}


@dataclass(frozen=True, slots=True)
class Resource:
    """A resource that the deployment makes.

    Attributes
    ----------
    place : str
        Where it is declared.
    parent : str
        The id of what it belongs to: its parent, or what an extension is of; empty for neither.
    """

    type: ResourceType
    id: str
    body: dict[str, Value]
    parent: str
    place: str

    @property
    def name(self) -> str:
        """The last part of its name."""
        return str(self.body["name"])


@dataclass(slots=True)
class Expansion:
    """What was found while expanding.

    Attributes
    ----------
    taken : set
        The declarations and branches that were evaluated, by file and line or byte.
    """

    schema: Schema
    root: Path
    resources: list[Resource] = field(default_factory=list)
    outputs: dict[str, Value] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    taken: set[tuple[str, int]] = field(default_factory=set)
    sources: dict[Path, Source] = field(default_factory=dict)


def expand(main: Path, parameters: dict[str, Value], schema: Schema) -> Expansion:
    """Expand a deployment; whatever is wrong becomes a finding, and what can be done without it is done."""
    expansion = Expansion(schema, main.parent)
    try:
        expansion.outputs = _File(expansion, main, SUBSCRIPTION).deploy(parameters)
    except BicepError as error:
        expansion.findings.append(error.finding)
    return expansion


class _File:
    """One file being deployed to one scope, with its names resolved as they are asked for."""

    def __init__(self, expansion: Expansion, path: Path, scope: str) -> None:
        if path not in expansion.sources:
            expansion.sources[path] = read(path, expansion.root)
        self.expansion, self.scope, self.source = expansion, scope, expansion.sources[path]
        self.declared = {each.name: each for each in self.source.of("param", "var", "resource", "module")}
        self.known: dict[str, Value] = {}
        self.under_way: list[str] = []
        self.evaluator = Evaluator(self.source, expansion.schema, self.lookup, expansion.taken)

    def deploy(self, parameters: dict[str, Value]) -> dict[str, Value]:
        """Deploy all, and give the outputs."""
        self._take(parameters)
        for each in self.source.of("resource", "module"):
            with _Kept(self.expansion):
                self.lookup(each.name)
        outputs: dict[str, Value] = {}
        for each in self.source.of("output"):
            with _Kept(self.expansion):
                assert each.value
                outputs[each.name] = self.evaluator.value(each.value)
                self._check_kind(each, outputs[each.name])
        return outputs

    def lookup(self, name: str) -> Value:
        """Give the value of a name, evaluated at the first call; raises KeyError when nothing has it."""
        if name not in self.known:
            declaration = self.declared[name]
            if name in self.under_way:
                raise BicepError(Finding(self.source.place(declaration.line), f"{name} depends on itself"))
            self.under_way.append(name)
            self.known[name] = self._evaluated(declaration)
            self.under_way.remove(name)
        return self.known[name]

    def _evaluated(self, declaration: Declaration) -> Value:
        assert declaration.value
        if declaration.kind in ("param", "var"):
            return self.evaluator.value(declaration.value)
        made: list[Value] = [self._made(declaration, *each) for each in self._bodies(self.evaluator, declaration.value)]
        if declaration.value.type == "for_statement":
            return made
        return made[0] if made else None

    def _bodies(self, evaluator: Evaluator, node: Node) -> Iterator[tuple[Evaluator, Node]]:
        """Give each object that a declaration's loop and condition leave."""
        if node.type == "for_statement":
            for inner, body in evaluator.loop(node):
                yield from self._bodies(inner, body)
        elif node.type == "if_statement":
            if evaluator.truth(node.named_children[0]):
                yield evaluator, node.named_children[1]
        else:
            yield evaluator, node

    def _made(self, declaration: Declaration, evaluator: Evaluator, node: Node) -> Handle:
        self.expansion.taken.add((self.source.label, declaration.line))
        body = evaluator.value(node)
        if not isinstance(body, dict):
            raise evaluator.fail(node, f"{declaration.name} is no object")
        make = self._module if declaration.kind == "module" else self._resource
        return make(declaration, body)

    def _resource(self, declaration: Declaration, body: dict[str, Value]) -> Handle:
        place = self.source.place(declaration.line)
        try:
            kind = self.expansion.schema.at(declaration.form)
        except KeyError as error:
            raise BicepError(Finding(place, str(error.args[0]))) from error
        parent, target = body.pop("parent", None), body.pop("scope", None)
        body.pop("dependsOn", None)
        owner = parent or target
        owner_id = owner.id if isinstance(owner, Handle) else ""
        if problem := self._misplaced(kind, parent, target):
            self.expansion.findings.append(Finding(place, problem))
        id_ = _id(kind, owner_id or self.scope, str(body.get("name")))
        if not declaration.existing:
            self.expansion.resources.append(Resource(kind, id_, body, owner_id, place))
        return Handle(declaration.name, kind.name, id_, self.source.label, self.scope, body.get("name"))

    def _misplaced(self, kind: ResourceType, parent: Value, target: Value) -> str:
        """Say why a resource cannot be where it is; empty when it can."""
        owner_type = kind.name.rpartition("/")[0]
        if "/" in owner_type:
            right = isinstance(parent, Handle) and parent.type == owner_type
            return "" if right else f"{kind.name} needs a parent of {owner_type}"
        if target is not None:
            return "" if kind.name in EXTENSIONS else f"{kind.name} cannot be put on another resource"
        here = self.source.scope[0].upper() + self.source.scope[1:]
        return "" if kind.scopes & {here, "AllExceptExtension"} else f"{kind.name} cannot be deployed to a {here}"

    def _module(self, declaration: Declaration, body: dict[str, Value]) -> Handle:
        target = body.get("scope")
        scope = target.id if isinstance(target, Handle) else self.scope
        place = self.source.place(declaration.line)
        file = _File(self.expansion, self.source.path.parent / declaration.form, scope)
        wanted = "resourceGroup" if "/resourceGroups/" in scope else "subscription"
        if file.source.scope != wanted:
            self.expansion.findings.append(Finding(place, f"{declaration.form} is for a {file.source.scope}"))
        given = cast(dict[str, Value], body.get("params") or {})
        outputs = file.deploy({name: _handed_over(value) for name, value in given.items()} | {"": place})
        return Handle(declaration.name, "module", "", self.source.label, scope, body.get("name"), outputs)

    def _take(self, parameters: dict[str, Value]) -> None:
        given = dict(parameters)
        caller = str(given.pop("", "main.parameters.json"))
        declared = {each.name: each for each in self.source.of("param")}
        for name in given.keys() - declared.keys():
            self.expansion.findings.append(Finding(caller, f"{self.source.label} has no parameter {name}"))
        for name, each in declared.items():
            if name in given:
                self.known[name] = self._accepted(each, given[name], caller)
            elif each.value is None:
                self.expansion.findings.append(Finding(caller, f"{self.source.label} needs the parameter {name}"))
                self.known[name] = Runtime(name, "any")

    def _accepted(self, each: Declaration, value: Value, caller: str) -> Value:
        self._check_kind(each, value, caller)
        allowed = each.decorators.get("allowed")
        if allowed and not isinstance(value, Runtime):
            arguments = allowed.child_by_field_name("arguments")
            assert arguments
            options = [plain(option) for option in arguments.named_children[0].named_children]
            if value not in options:
                problem = f"{each.name} is {value!r}, none of {', '.join(options)}"
                self.expansion.findings.append(Finding(caller, problem))
        if "secure" in each.decorators and value:
            return Runtime(each.name, "string", secret=True)
        if isinstance(value, Runtime) and value.secret:
            place = self.source.place(each.line)
            self.expansion.findings.append(Finding(place, f"{each.name} is given a secret and is not @secure()"))
        return value

    def _check_kind(self, each: Declaration, value: Value, place: str = "") -> None:
        kind = kind_of(value)
        if each.form.rstrip("?") in _FORMS and kind not in ("any", each.form.rstrip("?")):
            where = place or self.source.place(each.line)
            self.expansion.findings.append(Finding(where, f"{each.name} is {kind}, and should be {each.form}"))


class _Kept:
    """Keeps the error that ends one declaration as a finding, so that the others are looked at."""

    def __init__(self, expansion: Expansion) -> None:
        self._findings = expansion.findings

    def __enter__(self) -> None: ...

    def __exit__(self, _: object, error: BaseException | None, __: object) -> bool:
        if isinstance(error, BicepError):
            self._findings.append(error.finding)
            return True
        return False


def _handed_over(value: Value) -> Value:
    if isinstance(value, Runtime):
        return value.given_to_module()
    if isinstance(value, dict):
        return {name: _handed_over(part) for name, part in value.items()}
    return [_handed_over(part) for part in value] if isinstance(value, list) else value


def _id(kind: ResourceType, owner: str, name: str) -> str:
    provider, *parts = kind.name.split("/")
    if kind.name == "Microsoft.Resources/resourceGroups":
        return f"{SUBSCRIPTION}/resourceGroups/{name}"
    if len(parts) > 1:
        return f"{owner}/{parts[-1]}/{name}"
    return f"{owner}/providers/{provider}/{parts[0]}/{name}"
