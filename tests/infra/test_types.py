"""The kept types: from the package that `make infra-types` asks, complete, and read as the package writes them."""

import json
import re
from pathlib import Path

import pytest

from tools.infra.microsoft import FILE, RESOURCES, resource
from tools.infra.schema import TYPES, Property, schema

ROOT = Path(__file__).parents[2]


def test_types_when_they_are_kept_are_from_the_package_that_is_asked() -> None:
    pinned = re.search(r"^(msmcp-azure)==(\S+)", (ROOT / "tools/infra/requirements.txt").read_text(), re.M)
    assert pinned
    assert json.loads(FILE.read_text())["source"].startswith(f"{pinned[1]} {pinned[2]} (MIT)"), "run make infra-types"


def test_types_when_they_are_kept_are_all_that_are_asked_for() -> None:
    assert tuple(json.loads(FILE.read_text())["resources"]) == RESOURCES, "run make infra-types"


def test_types_when_microsoft_has_one_are_not_written_by_hand() -> None:
    by_hand = json.loads((TYPES / "own.json").read_text())["resources"].keys()
    assert by_hand & set(RESOURCES) == set()


def test_resource_when_the_package_describes_it_keeps_what_its_body_needs() -> None:
    part = {"name": "P", "$type": "Object", "properties": [{"name": "q", "type": "Q[]", "flags": "Required"}]}
    body = {"$type": "Object", "properties": [{"name": "p", "type": "P", "modifiers": "minLength: 1"}]}
    own = {"$type": "Resource", "name": "A/b@2026-01-01", "writableScopes": "ResourceGroup", "bodyType": body}
    other = {"name": "Other", "$type": "Object", "properties": []}
    chosen = {"$type": "Object", "properties": [{"name": "kind", "type": "one"}], "additionalPropertiesType": "any"}
    union = {
        "$type": "DiscriminatedObject",
        "name": "Q",
        "discriminator": "kind",
        "baseProperties": [],
        "elements": [chosen],
    }
    assert resource("A/b", [own, part, other, union]) == {
        "version": "2026-01-01",
        "scopes": "ResourceGroup",
        "shapes": {
            "": {"properties": {"p": ["P", "", "minLength: 1"]}},
            "P": {"properties": {"q": ["Q[]", "Required"]}},
            "Q": {
                "properties": {},
                "discriminator": "kind",
                "variants": {"one": {"properties": {"kind": ["one"]}, "others": "any"}},
            },
        },
    }


def test_property_when_it_is_read_knows_flags_limits_and_pattern() -> None:
    read = Property.read(["string", "Required, ReadOnly", "minLength: 3, maxLength: 24, pattern: ^[a-z]{3,}$"])
    assert read.flags == {"Required", "ReadOnly"}
    assert read.limits == {"minLength": 3, "maxLength": 24}
    assert read.pattern == "^[a-z]{3,}$"


@pytest.mark.parametrize(
    "form", ["Microsoft.Storage/storageAccounts@2019-01-01", "Microsoft.Compute/virtualMachines@1"]
)
def test_schema_when_a_type_is_not_held_says_which_is(form: str) -> None:
    with pytest.raises(KeyError, match=r"is known at 2025-01-01|is not known; add it"):
        schema().at(form)
