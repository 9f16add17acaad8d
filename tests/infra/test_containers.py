"""Code and deployment have the same containers."""

import json

from shared.store import cosmos_container
from shared.store.cosmos_container import FILE, containers


def test_containers_when_compared_with_the_code_are_those_it_names() -> None:
    named = {value for name, value in vars(cosmos_container).items() if name.isupper() and isinstance(value, str)}
    assert {container["id"] for container in containers()} == named


def test_containers_when_the_sdk_makes_them_have_the_policies_of_the_deployment() -> None:
    for given, made in zip(json.loads(FILE.read_text()), containers(), strict=True):
        assert made["partition_key"]["paths"] == given["partitionKey"]["paths"]
        assert made["partition_key"]["version"] == given["partitionKey"]["version"]
        assert made["indexing_policy"] == given["indexingPolicy"]
        assert made["default_ttl"] == given.get("defaultTtl")
