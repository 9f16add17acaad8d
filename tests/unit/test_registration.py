import json
import os
import re
from pathlib import Path

import azure.functions as func
import pytest

from local import app_settings, demo, host_json
from local.registration import registrations
from shared.errors import InvalidError
from shared.settings import Settings


def _app(schedule: str) -> func.FunctionApp:
    app = func.FunctionApp()

    @app.function_name("tick")
    @app.timer_trigger(arg_name="timer", schedule=schedule)
    def tick(timer: func.TimerRequest) -> str:
        """Say when."""
        return "ticked"

    return app


async def test_registrations_when_a_trigger_names_a_setting_resolve_it() -> None:
    (tick,) = registrations(_app("%SCHEDULE%"), {"SCHEDULE": "0 * * * * *"})
    assert tick.trigger["schedule"] == "0 * * * * *"
    assert await tick.invoke(object(), "1") == "ticked"


def test_registrations_when_a_setting_is_missing_name_it() -> None:
    with pytest.raises(InvalidError, match="SCHEDULE"):
        registrations(_app("%SCHEDULE%"), {})


def test_registrations_when_a_trigger_is_of_another_kind_refuse_it_by_name() -> None:
    app = func.FunctionApp()

    @app.function_name("queued")
    @app.queue_trigger(arg_name="message", queue_name="q", connection="STORAGE")
    def queued(message: func.QueueMessage) -> None:
        """Never runs here."""

    with pytest.raises(InvalidError, match="queued"):
        registrations(app, {})


async def test_registered_when_it_wants_the_context_is_given_its_name_and_id() -> None:
    app = func.FunctionApp()

    @app.function_name("tell")
    @app.timer_trigger(arg_name="timer", schedule="0 * * * * *")
    async def tell(timer: func.TimerRequest, context: func.Context) -> tuple[str, str]:
        """Say who was called."""
        return context.function_name, context.invocation_id

    (registered,) = registrations(app, {})
    assert await registered.invoke(object(), "call-1") == ("tell", "call-1")


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
    given = demo.environment("folder")
    monkeypatch.setattr(os, "environ", given)
    values = dict.fromkeys([*names, "FINAGENT_TICK"], "unfit")
    (tmp_path / "local.settings.json").write_text(json.dumps({"Values": values}))
    settings = app_settings.load(tmp_path)
    assert settings["FINAGENT_TICK"] == "* * * * * *"
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


def test_host_json_when_read_gives_what_a_function_can_tell(tmp_path: Path) -> None:
    path = tmp_path / "host.json"
    bus = {"maxConcurrentCalls": 3, "maxConcurrentSessions": 2, "maxAutoLockRenewalDuration": "00:01:30"}
    extensions = {"http": {"routePrefix": "v1"}, "serviceBus": bus}
    path.write_text(json.dumps({"version": "2.0", "functionTimeout": "1.00:00:05", "extensions": extensions}))
    assert host_json.read(path) == host_json.HostOptions("v1", 86_405, 3, 2, 90)


@pytest.mark.parametrize(
    "document", ["{", "[]", '{"functionTimeout": "soon"}', '{"extensions": {"serviceBus": {"maxConcurrentCalls": 0}}}']
)
def test_host_json_when_it_is_malformed_says_so(tmp_path: Path, document: str) -> None:
    path = tmp_path / "host.json"
    path.write_text(document)
    with pytest.raises(InvalidError, match=r"host\.json"):
        host_json.read(path)
