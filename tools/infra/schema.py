"""Microsoft's resource types, from `types/microsoft.json`, and the few that it lacks, from `types/own.json`.

A type is written as in msmcp-azure: `string`, `int`, `bool`, `any`, `object`, the name of a type of the same resource,
an array `X[]`, or alternatives `A | B`, which are texts. Alternatives that end in `string` are what Microsoft lists and
not all that it takes; here they are all.
"""

import json
import re
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Self

TYPES = Path(__file__).with_name("types")
BASIC = {"string", "int", "bool", "any", "object", "null"}
EXTENSIONS = {"Microsoft.Authorization/roleAssignments", "Microsoft.Insights/diagnosticSettings"}
"""What may be put on another resource; the package does not say so."""

_LIMIT = re.compile(r"(minLength|maxLength|minValue|maxValue): (-?\d+)")
_PATTERN = re.compile(r"pattern: (.*)$")


@dataclass(frozen=True, slots=True)
class Property:
    """A property of an object; `limits` has minLength, maxLength, minValue and maxValue, as far as there are any."""

    type: str
    flags: frozenset[str] = frozenset()
    limits: dict[str, int] = field(default_factory=dict)
    pattern: str = ""

    @classmethod
    def read(cls, given: list[str]) -> Self:
        """Read `[type, flags, modifiers]`, of which the last two may be missing."""
        kind, flags, modifiers = (*given, "", "")[:3]
        pattern = _PATTERN.search(modifiers)
        limits = {name: int(number) for name, number in _LIMIT.findall(modifiers)}
        return cls(kind, frozenset(filter(None, flags.split(", "))), limits, pattern[1] if pattern else "")


@dataclass(frozen=True, slots=True)
class Shape:
    """An object's properties, and the type of those that have no name; with variants, by the text of one of them."""

    properties: dict[str, Property]
    others: str = ""
    discriminator: str = ""
    variants: dict[str, "Shape"] = field(default_factory=dict)

    @classmethod
    def read(cls, given: dict[str, Any]) -> "Shape":
        """Read a shape from its JSON."""
        properties = {name: Property.read(each) for name, each in given["properties"].items()}
        variants = {name: cls.read(each) for name, each in given.get("variants", {}).items()}
        return cls(properties, given.get("others", ""), given.get("discriminator", ""), variants)


@dataclass(frozen=True, slots=True)
class ResourceType:
    """A resource type at its one version; `source` says where the type is from."""

    name: str
    version: str
    scopes: frozenset[str]
    body: Shape
    source: str


@dataclass(frozen=True, slots=True)
class Schema:
    """All resource types, by name, and the shapes of their parts, by `type name` within them."""

    resources: dict[str, ResourceType]
    shapes: dict[str, Shape]

    def at(self, form: str) -> ResourceType:
        """Give the type of a declaration such as `Microsoft.Storage/storageAccounts@2025-01-01`.

        Raises
        ------
        KeyError
            It is not known, or not at this version; the message says which is.
        """
        name, _, version = form.partition("@")
        known = self.resources.get(name)
        if known is None:
            raise KeyError(f"the type {name} is not known; add it to tools/infra/microsoft.py and run make infra-types")
        if known.version != version:
            raise KeyError(f"{name} is known at {known.version}, not {version}")
        return known

    def shape(self, type_name: str) -> Shape | None:
        """Give the shape of `resource NAME`, or of a part, `RESOURCE#PART`; None when it is no object's."""
        if type_name.startswith("resource "):
            return self.resources[type_name.removeprefix("resource ")].body
        return self.shapes.get(type_name)

    def member(self, type_name: str, name: str) -> str | None:
        """Give the type of a property of a type; None when it has none."""
        shape = self.shape(type_name)
        if shape is None:
            return "any" if type_name in ("any", "object") else None
        shapes = [shape, *shape.variants.values()]
        return next((each.properties[name].type for each in shapes if name in each.properties), shape.others or None)


def sources() -> dict[str, str]:
    """Give where the types of each file are from, by the file's name."""
    return {path.name: json.loads(path.read_text())["source"] for path in sorted(TYPES.glob("*.json"))}


@cache
def schema() -> Schema:
    """Give what the types' files hold."""
    resources: dict[str, ResourceType] = {}
    shapes: dict[str, Shape] = {}
    for path in sorted(TYPES.glob("*.json")):
        held = json.loads(path.read_text())
        for name, given in held["resources"].items():
            parts = {part: Shape.read(each) for part, each in _named(name, given["shapes"]).items()}
            body = parts.pop(f"{name}#")
            shapes |= parts
            scopes = frozenset(given["scopes"].split(", "))
            resources[name] = ResourceType(name, given["version"], scopes, body, path.name)
    return Schema(resources, shapes)


def _named(resource: str, shapes: dict[str, Any]) -> dict[str, Any]:
    # Parts of several resources have the same name: each is known by its resource's, too. Alternatives are texts, even
    # where one is called as a part is.
    def rename(kind: str) -> str:
        return f"{resource}#{kind}" if kind and kind.replace("[]", "") in shapes else kind

    def renamed(shape: dict[str, Any]) -> dict[str, Any]:
        properties = {name: [rename(kind), *more] for name, (kind, *more) in shape["properties"].items()}
        variants = {name: renamed(each) for name, each in shape.get("variants", {}).items()}
        return {**shape, "properties": properties, "variants": variants, "others": rename(shape.get("others", ""))}

    return {f"{resource}#{name}": renamed(shape) for name, shape in shapes.items()}
