import json
import os
import re
from pathlib import Path

import pytest

from local import app_settings, demo, host_json
from shared.errors import InvalidError
from shared.settings import Settings

ROOT = Path(__file__).parents[2]


def test_app_settings_when_the_environment_and_the_file_disagree_take_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    values = {"FINAGENT_TICK": "0 * * * * *", "FINAGENT_SPEED": "7"}
    (tmp_path / "local.settings.json").write_text(json.dumps({"Values": values}))
    monkeypatch.setenv("FINAGENT_SPEED", "9")
    monkeypatch.delenv("FINAGENT_TICK", raising=False)
    settings = app_settings.load(tmp_path)
    monkeypatch.setenv("FINAGENT_TICK", "")
    assert settings["FINAGENT_SPEED"] == "9"
    assert settings["FINAGENT_TICK"] == "0 * * * * *"


def test_app_settings_when_a_demo_runs_are_the_defaults_whatever_the_file_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [str(field.alias) for field in Settings.model_fields.values()]
    monkeypatch.setenv("FINAGENT_SPEED", "9")
    monkeypatch.setenv("AzureFunctionsJobHost__functionTimeout", "soon")
    given = demo.environment("folder")
    monkeypatch.setattr(os, "environ", given)
    values = dict.fromkeys([*names, "FINAGENT_TICK"], "unfit")
    (tmp_path / "local.settings.json").write_text(json.dumps({"Values": values}))
    settings = app_settings.load(tmp_path)
    assert settings["FINAGENT_TICK"] == "* * * * * *"
    assert host_json.read(ROOT / "host.json", settings).function_timeout_seconds == 300
    assert Settings.from_env(settings) == Settings.from_env({"FINAGENT_DATA": "folder"})


@pytest.mark.parametrize(
    "values", [{"": "1"}, {"A=B": "1"}, {"A": "1\0"}, {"A\0": "1"}, {"A": "\ud800"}, {"FINE": "1", "A": "\0"}]
)
def test_app_settings_when_no_environment_can_hold_them_name_them(tmp_path: Path, values: dict[str, str]) -> None:
    (tmp_path / "local.settings.json").write_text(json.dumps({"Values": values}))
    with pytest.raises(InvalidError, match=re.escape(repr(list(values)[-1]))):
        app_settings.load(tmp_path)


def test_app_settings_when_the_file_is_a_folder_say_so(tmp_path: Path) -> None:
    (tmp_path / "local.settings.json").mkdir()
    with pytest.raises(InvalidError, match=r"local\.settings\.json: cannot be read"):
        app_settings.load(tmp_path)


@pytest.mark.parametrize("text", ["[]", "{", '{"Values": 3}', '"text"'])
def test_app_settings_when_the_file_is_malformed_say_so(tmp_path: Path, text: str) -> None:
    (tmp_path / "local.settings.json").write_text(text)
    with pytest.raises(InvalidError, match=r"local\.settings\.json"):
        app_settings.load(tmp_path)


def test_app_settings_when_the_file_overrides_host_json_are_heeded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "environ", dict(os.environ))
    values = {"AzureFunctionsJobHost:extensions:serviceBus:maxConcurrentCalls": 3}
    (tmp_path / "local.settings.json").write_text(json.dumps({"Values": values}))
    settings = app_settings.load(tmp_path)
    assert host_json.read(ROOT / "host.json", settings).max_concurrent_calls == 3
