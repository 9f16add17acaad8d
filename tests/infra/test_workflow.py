"""What GitHub and azd are told: targets and variables that exist, and no secret."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
KEYS = {"ALPACA_API_KEY", "ALPACA_SECRET_KEY"}


@pytest.fixture
def azure() -> dict[str, Any]:
    """Give `azure.yaml`."""
    given: dict[str, Any] = yaml.safe_load((ROOT / "azure.yaml").read_text())
    return given


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_workflow_when_it_is_read_holds_no_secret_and_may_only_read(path: Path) -> None:
    text = path.read_text()
    assert "secrets." not in text
    assert yaml.safe_load(text)["permissions"]["contents"] == "read"


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_workflow_when_it_makes_something_names_targets_that_exist(path: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.M))
    asked = [name for line in re.findall(r"run: make (.+)", path.read_text()) for name in line.split()]
    assert asked
    assert set(asked) <= targets


def test_deployment_when_github_runs_it_gives_what_the_parameters_ask_for_but_the_keys() -> None:
    asked = set(re.findall(r"\$\{(\w+)", (ROOT / "infra" / "main.parameters.json").read_text()))
    given = yaml.safe_load((ROOT / ".github" / "workflows" / "deploy.yml").read_text())["jobs"]["deploy"]["env"]
    assert asked - given.keys() == KEYS


def test_deployment_when_github_runs_it_deploys_the_service_that_azd_knows(azure: dict[str, Any]) -> None:
    text = (ROOT / ".github" / "workflows" / "deploy.yml").read_text()
    assert re.findall(r"azd deploy (\w+) --from-package (\S+)", text) == [(*azure["services"], ".package/finagent.zip")]


def test_azd_when_it_deploys_has_azure_install_the_requirements(azure: dict[str, Any]) -> None:
    (service,) = azure["services"].values()
    assert service == {"project": ".", "language": "python", "host": "function", "remoteBuild": True}


def test_azd_when_it_provisions_is_given_every_parameter() -> None:
    declared = set(re.findall(r"^param (\w+)", (ROOT / "infra" / "main.bicep").read_text(), re.M))
    given = json.loads((ROOT / "infra" / "main.parameters.json").read_text())["parameters"]
    assert declared == given.keys()
