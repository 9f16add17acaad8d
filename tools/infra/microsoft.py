"""`make infra-types`: asks msmcp-azure for Microsoft's types of the resources that the deployment has.

The package is 150 MB and takes 0.5 s of processor time for each type; what it says is kept in `types/microsoft.json`.
"""

import json
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

FILE = Path(__file__).with_name("types") / "microsoft.json"
PACKAGE = "msmcp-azure"
RESOURCES = (
    "Microsoft.Authorization/roleAssignments",
    "Microsoft.CognitiveServices/accounts",
    "Microsoft.CognitiveServices/accounts/deployments",
    "Microsoft.Consumption/budgets",
    "Microsoft.DocumentDB/databaseAccounts",
    "Microsoft.DocumentDB/databaseAccounts/sqlDatabases",
    "Microsoft.DocumentDB/databaseAccounts/sqlDatabases/containers",
    "Microsoft.DocumentDB/databaseAccounts/sqlRoleAssignments",
    "Microsoft.Insights/components",
    "Microsoft.KeyVault/vaults",
    "Microsoft.KeyVault/vaults/secrets",
    "Microsoft.ManagedIdentity/userAssignedIdentities",
    "Microsoft.OperationalInsights/workspaces",
    "Microsoft.Resources/resourceGroups",
    "Microsoft.ServiceBus/namespaces",
    "Microsoft.ServiceBus/namespaces/topics",
    "Microsoft.ServiceBus/namespaces/topics/subscriptions",
    "Microsoft.ServiceBus/namespaces/topics/subscriptions/rules",
    "Microsoft.Storage/storageAccounts",
    "Microsoft.Storage/storageAccounts/blobServices",
    "Microsoft.Storage/storageAccounts/blobServices/containers",
    "Microsoft.Web/serverfarms",
    "Microsoft.Web/sites",
    "Microsoft.Web/sites/basicPublishingCredentialsPolicies",
    "Microsoft.Web/sites/config",
)
"""What `azmcp bicepschema get` is asked for; it knows one version of each."""


def ask(resource: str) -> list[dict[str, Any]]:
    """Give the definitions of a resource type, as the package prints them."""
    command = [str(Path(sys.executable).with_name("azmcp")), "bicepschema", "get", "--resource-type", resource]
    answer = json.loads(subprocess.run(command, capture_output=True, check=False, text=True).stdout)
    if answer["status"] != 200:
        raise SystemExit(f"{resource}: {answer['message']}")
    definitions: list[dict[str, Any]] = answer["results"]["BicepSchemaResult"]
    return definitions


def resource(name: str, definitions: list[dict[str, Any]]) -> dict[str, Any]:
    """Give a resource type as `types/microsoft.json` holds it: its body, under no name, and the parts that it needs."""
    own = next(each for each in definitions if each["$type"] == "Resource" and each["name"].startswith(f"{name}@"))
    parts = {each["name"]: each for each in definitions if each["$type"] in ("Object", "DiscriminatedObject")}
    shapes = {"": _shape(own["bodyType"])}
    waiting = list(_mentions(shapes[""]))
    while waiting:
        part = waiting.pop()
        if part in parts and part not in shapes:
            shapes[part] = _shape(parts[part])
            waiting += _mentions(shapes[part])
    scopes = own["writableScopes"]
    return {"version": own["name"].partition("@")[2], "scopes": scopes, "shapes": dict(sorted(shapes.items()))}


def _shape(given: dict[str, Any]) -> dict[str, Any]:
    if given["$type"] == "DiscriminatedObject":
        named = given["discriminator"]
        variants = {}
        for element in map(_shape, given["elements"]):
            variants[element["properties"][named][0]] = element
        return {"properties": _properties(given["baseProperties"]), "discriminator": named, "variants": variants}
    shape: dict[str, Any] = {"properties": _properties(given["properties"])}
    return shape | ({"others": given["additionalPropertiesType"]} if given.get("additionalPropertiesType") else {})


def _properties(given: list[dict[str, str]]) -> dict[str, list[str]]:
    found = {}
    for each in given:
        told = [each["type"], each.get("flags", ""), each.get("modifiers", "")]
        while not told[-1]:
            told.pop()
        found[each["name"]] = told
    return found


def _mentions(shape: dict[str, Any]) -> Iterator[str]:
    for told in [*shape["properties"].values(), [shape.get("others", "")]]:
        yield from (part.replace("[]", "") for part in told[0].split(" | "))
    for variant in shape.get("variants", {}).values():
        yield from _mentions(variant)


def main() -> None:
    """Ask for all, and write the file."""
    held = {name: resource(name, ask(name)) for name in RESOURCES}
    source = f"{PACKAGE} {version(PACKAGE)} (MIT), azmcp bicepschema get"
    compact = {name: json.dumps(each, separators=(",", ":")) for name, each in held.items()}
    lines = ",\n".join(f"  {json.dumps(name)}: {each}" for name, each in compact.items())
    FILE.write_text(f'{{\n"source": {json.dumps(source)},\n"resources": {{\n{lines}\n}}\n}}\n')


if __name__ == "__main__":
    main()
