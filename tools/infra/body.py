"""Checks a resource's body, as it was evaluated, against its type."""

import re
from collections.abc import Iterator

from tools.infra.schema import BASIC, Property, ResourceType, Schema, Shape
from tools.infra.value import Runtime, Value, kind_of, runtimes


def problems(schema: Schema, kind: ResourceType, body: dict[str, Value], file: str) -> Iterator[str]:
    """Give what is wrong with a resource's body.

    Parameters
    ----------
    body : dict
        Without what is Bicep's own.
    file : str
        Where it is declared: what only the deployment of that file makes cannot be part of a name.
    """
    for found in runtimes(body.get("name")):
        if found.file == file:
            yield f"name: {found} is not known when the deployment begins"
        if found.secret:
            yield f"name: {found} is a secret"
    yield from _object(schema, kind.body, body, "")


def _object(schema: Schema, shape: Shape, given: dict[str, Value], path: str) -> Iterator[str]:
    if shape.discriminator:
        chosen = given.get(shape.discriminator)
        if not isinstance(chosen, str) or chosen not in shape.variants:
            yield f"{path}{shape.discriminator}: {chosen!r} is none of {', '.join(sorted(shape.variants))}"
            return
        variant = shape.variants[chosen]
        shape = Shape(shape.properties | variant.properties, variant.others)
    for name, value in given.items():
        known = shape.properties.get(name)
        if known is None and not shape.others:
            yield f"{path}{name}: unknown property{_nearest(name, shape)}"
        elif known is not None and "ReadOnly" in known.flags:
            yield f"{path}{name}: is read-only"
        elif not (value is None and (known is None or "Required" not in known.flags)):
            yield from _property(schema, known or Property(shape.others), value, f"{path}{name}")
    for name, wanted in shape.properties.items():
        if "Required" in wanted.flags and "ReadOnly" not in wanted.flags and name not in given:
            yield f"{path}{name}: is required and missing"


def _nearest(name: str, shape: Shape) -> str:
    similar = [each for each in shape.properties if each.lower() == name.lower()]
    return f"; it is spelt {similar[0]}" if similar else ""


def _property(schema: Schema, known: Property, value: Value, path: str) -> Iterator[str]:
    yield from _typed(schema, known.type, value, path)
    if isinstance(value, Runtime):
        return
    size = len(value) if isinstance(value, (str, list)) else None
    number = value if isinstance(value, int) else None
    for name, bound in known.limits.items():
        measured = size if name.endswith("Length") else number
        if measured is not None and (measured < bound if name.startswith("min") else measured > bound):
            yield f"{path}: {measured} is beyond {name} {bound}"
    if known.pattern and isinstance(value, str) and not re.search(known.pattern, value):
        yield f"{path}: {value!r} does not match {known.pattern}"


def _typed(schema: Schema, kind: str, value: Value, path: str) -> Iterator[str]:
    shape = schema.shape(kind) if kind not in BASIC else None
    if kind == "any":
        return
    if shape is not None and isinstance(value, dict):
        yield from _object(schema, shape, value, f"{path}.")
    elif kind.endswith("[]") and isinstance(value, list):
        for i, item in enumerate(value):
            yield from _typed(schema, kind.removesuffix("[]"), item, f"{path}[{i}]")
    elif isinstance(value, str) and shape is None and kind not in BASIC and not kind.endswith("[]"):
        if value not in kind.split(" | "):
            yield f"{path}: {value!r} is none of {kind.removesuffix(' | string')}"
    elif not _fits(shape, kind, value):
        yield f"{path}: is {kind_of(value)}, and should be {kind.rpartition('#')[2]}"


def _fits(shape: Shape | None, kind: str, value: Value) -> bool:
    wanted = "object" if shape is not None else "array" if kind.endswith("[]") else kind if kind in BASIC else "string"
    given = kind_of(value)
    return given in ("any", wanted)
