"""Ways to look at an expanded deployment."""

from tools.infra.deployment import Expansion, Resource
from tools.infra.finding import BicepError, Finding
from tools.infra.value import Value


def of(expansion: Expansion, type_name: str) -> list[Resource]:
    """Give the resources of a type."""
    return [each for each in expansion.resources if each.type.name == type_name]


def the(expansion: Expansion, type_name: str, name: str = "") -> Resource:
    """Give the only resource of a type, or the one of a name.

    Raises
    ------
    BicepError
        There is none, or there are several.
    """
    found = [each for each in of(expansion, type_name) if name in ("", each.name)]
    if len(found) != 1:
        what = f"{type_name} {name}".rstrip()
        raise BicepError(Finding("main.bicep", f"there should be one {what}, not {len(found)}"))
    return found[0]


def at(body: Value, path: str) -> Value:
    """Give what is at a path such as `properties.sku.name`; None where it ends early."""
    for name in path.split("."):
        if not isinstance(body, dict):
            return None
        body = body.get(name)
    return body
