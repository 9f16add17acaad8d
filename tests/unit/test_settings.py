"""The settings: their defaults, what is refused and how it is said, and that no secret gets out."""

import traceback
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from pydantic import ValidationError

from shared.errors import InvalidError
from shared.settings import Settings

SECRET = "PK-very-secret-0123456789"
KEYS = {"ALPACA_API_KEY": SECRET, "ALPACA_SECRET_KEY": SECRET}
MALFORMED = {
    "FINAGENT_SYMBOLS": ["aapl", "AAPL;IBM", ",", "AAPL,IBM,much-too-long-a-symbol"],
    "FINAGENT_INTERVAL": ["1day", "2Day", "daily"],
    "FINAGENT_LOOKBACK_DAYS": ["-1", "5001", "many", "1.5", "NaN"],
    "FINAGENT_START": ["2008-13-01", "yesterday", "01/02/2008"],
    "FINAGENT_SPEED": ["0", "-1", "nan", "inf", "10000001", "fast"],
    "FINAGENT_DEADLINE_SECONDS": ["0", "-1", "nan", "inf", "1e300", "soon"],
    "FINAGENT_MAX_WEIGHT": ["0", "1.1", "nan", "half"],
    "FINAGENT_MAX_VAR_95": ["0", "1.1", "nan", "5 %"],
    "FINAGENT_MAX_GROSS": ["0", "1.1", "nan", "all"],
    "FINAGENT_MAX_DRAWDOWN": ["0", "1.1", "nan", "35 %"],
    "FINAGENT_PROMOTED": ["-fast", "a b"],
    "FINAGENT_EMBEDDER": ["OpenAI", "MINILM"],
    "FINAGENT_AUTH": ["None", "token"],
    "FINAGENT_REQUESTS_PER_SECOND": ["0", "-1", "nan", "inf", "many"],
    "FINAGENT_CORS": ["*", "desk.example", "https://desk.example/", "https://desk.example/app", "null"],
    "ALPACA_FEED": ["IEX", "yahoo"],
    "ALPACA_DATA_URL": ["data.alpaca.markets", "ftp://data", "http://"],
    "ALPACA_TRADING_URL": ["paper", "https://with space"],
    "OPENAI_BASE_URL": ["localhost:11434", "ftp://models"],
    "AZURE_OPENAI_ENDPOINT": ["desk.openai.azure.com"],
    "FINAGENT_MODEL": ["a model", "/etc/passwd", "x" * 200],
    "FINAGENT_MODEL_SECONDS": ["0", "-1", "nan", "121", "soon"],
    "FINAGENT_MODEL_DAILY_BUDGET": ["-1", "nan", "inf", "$1"],
    "FINAGENT_MODEL_OWNER_BUDGET": ["-1", "nan", "inf", "much"],
    "FINAGENT_MODEL_CALL_BUDGET": ["-1", "nan", "inf", "little"],
    "SERVICEBUS__fullyQualifiedNamespace": ["https://desk.servicebus.windows.net", "a b"],
    "SERVICEBUS_ADMINISTRATION_URL": ["localhost:5300"],
    "COSMOS_ENDPOINT": ["desk.documents.azure.com", "AccountEndpoint=x"],
    "COSMOS_DATABASE": ["a/b", "a b"],
    "OTEL_EXPORTER_OTLP_ENDPOINT": ["localhost:4318", "grpc://collector"],
    "OTEL_TRACES_EXPORTER": ["zipkin", "Console"],
    "FINAGENT_LOG": ["JSON", "loud"],
}
VALID = {
    "FINAGENT_DATA": "/tmp/desk",
    "FINAGENT_SYMBOLS": " AAPL, BRK.B ,,IBM,AAPL",
    "FINAGENT_INTERVAL": "5Min",
    "FINAGENT_LOOKBACK_DAYS": "30",
    "FINAGENT_START": "2010-05-06",
    "FINAGENT_SPEED": "1.5",
    "FINAGENT_DEADLINE_SECONDS": "180",
    "FINAGENT_MAX_WEIGHT": "1",
    "FINAGENT_MAX_VAR_95": "0.01",
    "FINAGENT_MAX_GROSS": "0.9",
    "FINAGENT_MAX_DRAWDOWN": "0.2",
    "FINAGENT_PROMOTED": "market_analyst_b,oracle_b",
    "FINAGENT_EMBEDDER": "minilm",
    "FINAGENT_AUTH": "key",
    "FINAGENT_REQUESTS_PER_SECOND": "0.5",
    "FINAGENT_CORS": "https://desk.example,http://localhost:5173",
    "FINAGENT_PRICES": "/tmp/prices.json",
    "ALPACA_FEED": "sip",
    "ALPACA_DATA_URL": "http://127.0.0.1:9/v2",
    "ALPACA_TRADING_URL": "https://paper.example",
    "OPENAI_API_KEY": SECRET,
    "OPENAI_BASE_URL": "http://127.0.0.1:11434/v1",
    "AZURE_OPENAI_ENDPOINT": "https://desk.openai.azure.com/",
    "AZURE_OPENAI_API_KEY": SECRET,
    "FINAGENT_MODEL": "hf.co/some/Model-1.2:Q4_K_M",
    "FINAGENT_MODEL_SECONDS": "60",
    "FINAGENT_MODEL_DAILY_BUDGET": "0",
    "FINAGENT_MODEL_OWNER_BUDGET": "0.1",
    "FINAGENT_MODEL_CALL_BUDGET": "0.01",
    "SERVICEBUS": f"Endpoint=sb://desk.servicebus.windows.net/;SharedAccessKeyName=desk;SharedAccessKey={SECRET}",
    "SERVICEBUS__fullyQualifiedNamespace": "desk.servicebus.windows.net",
    "SERVICEBUS_ADMINISTRATION_URL": "http://127.0.0.1:5300",
    "COSMOS_ENDPOINT": "https://desk.documents.azure.com:443/",
    "COSMOS_KEY": SECRET,
    "COSMOS_DATABASE": "desk",
    "APPLICATIONINSIGHTS_CONNECTION_STRING": "InstrumentationKey=00000000-0000-0000-0000-000000000001",
    "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318",
    "OTEL_TRACES_EXPORTER": "otlp",
    "FINAGENT_LOG": "json",
    **KEYS,
}


def refusal(environment: dict[str, str]) -> InvalidError:
    with pytest.raises(InvalidError) as caught:
        Settings.from_env(environment)
    return caught.value


def test_settings_when_the_environment_is_empty_are_the_defaults() -> None:
    settings = Settings.from_env({})
    assert (settings.symbols, settings.interval) == (("AAPL", "GOOG", "IBM", "MSFT"), "1Day")
    assert not settings.is_live
    assert settings.file == Path(".finagent/recorded.sqlite")
    assert settings.feed_start == datetime(2008, 1, 2, 14, 30, tzinfo=UTC)


def test_settings_when_every_variable_is_given_hold_each() -> None:
    aliases = {field.alias for field in Settings.model_fields.values()}
    settings = Settings.from_env(VALID)
    assert set(VALID) == aliases
    assert settings.model_fields_set == set(Settings.model_fields)
    assert settings.symbols == ("AAPL", "BRK.B", "IBM")
    assert (settings.speed, settings.start, settings.deadline_seconds) == (1.5, date(2010, 5, 6), 180)
    assert settings.is_live
    assert settings.file == Path("/tmp/desk/alpaca.sqlite")
    assert settings.alpaca_api_key is not None
    assert settings.alpaca_api_key.get_secret_value() == SECRET


def test_settings_when_no_environment_is_passed_are_read_from_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VALID:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("FINAGENT_SPEED", "7")
    assert Settings.from_env().speed == 7


@pytest.mark.parametrize("name", VALID)
def test_variable_when_it_is_empty_counts_as_not_given(name: str) -> None:
    assert Settings.from_env(dict.fromkeys([name], "")) == Settings.from_env({})


def test_variable_when_it_is_not_ours_is_ignored() -> None:
    assert Settings.from_env({"FINAGENT_SPEDE": "1", "PATH": "/bin"}) == Settings.from_env({})


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in MALFORMED.items() for value in values])
def test_variable_when_it_is_malformed_is_named(name: str, value: str) -> None:
    message = str(refusal({**VALID, name: value}))
    assert message.startswith(f"{name}: ")
    assert "; " not in message


def test_variables_when_several_are_malformed_are_all_named_at_once() -> None:
    environment = {name: values[0] for name, values in MALFORMED.items()} | {"ALPACA_API_KEY": SECRET}
    message = str(refusal(environment))
    named = {part.partition(":")[0] for part in message.split("; ")}
    assert named == {*MALFORMED, "ALPACA_SECRET_KEY"}


@pytest.mark.parametrize("name", ["SERVICEBUS", "SERVICEBUS__fullyQualifiedNamespace", "COSMOS_ENDPOINT"])
def test_azure_when_only_half_of_it_is_given_is_refused(name: str) -> None:
    assert "SERVICEBUS and COSMOS_ENDPOINT go together" in str(refusal({name: VALID[name]}))


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        ([], None),
        (["SERVICEBUS__fullyQualifiedNamespace"], "desk.servicebus.windows.net"),
        (["SERVICEBUS", "SERVICEBUS__fullyQualifiedNamespace"], VALID["SERVICEBUS"]),
    ],
)
def test_service_bus_when_opened_is_by_its_key_or_an_identity(names: list[str], expected: str | None) -> None:
    settings = Settings.from_env({name: VALID[name] for name in (*names, "COSMOS_ENDPOINT") if names})
    assert settings.servicebus_connection == expected


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, None),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318"}, "otlp"),
        ({"OTEL_TRACES_EXPORTER": "console"}, "console"),
        ({"APPLICATIONINSIGHTS_CONNECTION_STRING": "InstrumentationKey=x"}, "azure"),
        ({"APPLICATIONINSIGHTS_CONNECTION_STRING": "InstrumentationKey=x", "OTEL_TRACES_EXPORTER": "none"}, None),
    ],
)
def test_telemetry_when_configured_goes_where_the_standard_variables_say(
    given: dict[str, str], expected: str | None
) -> None:
    assert Settings.from_env(given).telemetry == expected


@pytest.mark.parametrize("name", KEYS)
def test_key_when_it_comes_alone_is_refused(name: str) -> None:
    assert "ALPACA_API_KEY and ALPACA_SECRET_KEY go together" in str(refusal({name: SECRET}))


@pytest.mark.parametrize(
    "environment",
    [
        {"ALPACA_API_KEY": SECRET},
        {"ALPACA_SECRET_KEY": SECRET},
        {**KEYS, "FINAGENT_SPEED": "0"},
        *({name: f"{SECRET} /"} for name in MALFORMED),
    ],
    ids=lambda environment: "+".join(environment),
)
def test_refusal_when_printed_with_its_causes_leaks_no_value(environment: dict[str, str]) -> None:
    error = refusal(environment)
    assert SECRET not in str(error)
    assert SECRET not in "".join(traceback.format_exception(error))


def test_settings_when_printed_show_no_secret() -> None:
    settings = Settings.from_env(VALID)
    assert SECRET not in f"{settings!r} {settings} {settings.model_dump()} {settings.model_dump_json()}"


def test_settings_when_made_cannot_be_changed() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        Settings.from_env({}).speed = 1.0


def test_deadline_when_patience_and_speed_are_at_their_most_is_still_a_date() -> None:
    settings = Settings.from_env({"FINAGENT_DEADLINE_SECONDS": "3600", "FINAGENT_SPEED": "10000000"})
    seconds = settings.deadline_seconds * settings.speed
    assert datetime.fromtimestamp(datetime(2013, 3, 1, tzinfo=UTC).timestamp() + seconds, UTC).year < 9999


def test_settings_when_documented_say_what_each_is() -> None:
    assert all(field.description and field.alias for field in Settings.model_fields.values())
