"""What a Bicep expression gives: plain Python values, and `Runtime` for what only Azure knows."""

from __future__ import annotations

from dataclasses import dataclass, replace

type Value = str | int | bool | list[Value] | dict[str, Value] | Runtime | Handle | None


@dataclass(frozen=True, slots=True)
class Runtime:
    """A value that Azure makes, such as an identity's id, or that is not to be seen, such as a key.

    Attributes
    ----------
    what : str
        The expression that names it.
    type : str
        Its type as Microsoft's types write it: `string`, `int`, `A | B`; `any` when they do not tell.
    file : str
        The file whose deployment must have made it; empty where it is known when the deployment of the file begins,
        as a parameter is.
    secret : bool
        Whether it must not get into outputs or names.
    """

    what: str
    type: str = "string"
    file: str = ""
    secret: bool = False

    def given_to_module(self) -> Runtime:
        """Give the value as a module's parameter: known when the module's own deployment begins."""
        return replace(self, file="")

    def __str__(self) -> str:
        return f"<{self.what}>"


@dataclass(frozen=True, slots=True)
class Handle:
    """A resource or module as an expression names it.

    Attributes
    ----------
    id : str
        A resource's id; empty for a module.
    outputs : dict or None
        A module's outputs; None for a resource.
    """

    name: str
    type: str
    id: str
    file: str
    scope: str
    given_name: Value
    outputs: dict[str, Value] | None = None


def kind_of(value: Value) -> str:
    """Give the Bicep type of a value: string, int, bool, array, object, null or any."""
    if isinstance(value, Runtime):
        return "string" if value.type == "string" or " | " in value.type else value.type
    names = {str: "string", bool: "bool", int: "int", list: "array", dict: "object", type(None): "null"}
    return names.get(type(value), "resource")


def join(parts: list[Value]) -> Value:
    """Give the text of several values, one after the other; a Runtime when one of them is."""
    unknown = [part for part in parts if isinstance(part, Runtime)]
    text = "".join(str(part) if not isinstance(part, bool) else str(part).lower() for part in parts)
    if not unknown:
        return text
    return mix(text, unknown)


def mix(what: str, unknown: list[Runtime], type_: str = "string") -> Runtime:
    """Give what depends on unknown values: later and more secret than any of them."""
    late = next((part.file for part in unknown if part.file), "")
    return Runtime(what, type_, late, any(part.secret for part in unknown))


def runtimes(value: Value) -> list[Runtime]:
    """Give all Runtimes in a value."""
    if isinstance(value, Runtime):
        return [value]
    if isinstance(value, dict):
        return [found for part in value.values() for found in runtimes(part)]
    if isinstance(value, list):
        return [found for part in value for found in runtimes(part)]
    return []
