"""Secrets: planted in every setting that holds one and in every header that can, they come out nowhere."""

import base64
import logging
from pathlib import Path

import pytest

from shared.bus.port import message_for
from shared.callers.key import new_key
from shared.errors import FinAgentError
from shared.events.trade import ConsensusReached
from shared.settings import Settings
from shared.wiring import desk
from tests.builders import altered
from tests.examples import FULL
from tests.functions.guarded import MADE_AT, READ, a_key, client
from tests.standins.desk import received
from tests.standins.openai.faults import Refuse, Say
from tests.standins.openai.server import OpenAIStandIn

CONSENSUS = next(event for event in FULL if isinstance(event, ConsensusReached))
CLOSED = "127.0.0.1:9"
PLANTED = {name: base64.b64encode(f"planted-{name}-0123456789".encode()).decode() for name in "abcdefg"}
ALPACA = {
    "ALPACA_API_KEY": PLANTED["a"],
    "ALPACA_SECRET_KEY": PLANTED["b"],
    "ALPACA_DATA_URL": f"http://{CLOSED}",
    "ALPACA_TRADING_URL": f"http://{CLOSED}",
    "FINAGENT_SPEED": "",
}
AZURE = {
    "SERVICEBUS": f"Endpoint=sb://{CLOSED}/;SharedAccessKeyName=desk;SharedAccessKey={PLANTED['c']};"
    "UseDevelopmentEmulator=true",
    "COSMOS_ENDPOINT": f"http://{CLOSED}",
    "COSMOS_KEY": PLANTED["d"],
}
MODEL = {
    "OPENAI_API_KEY": PLANTED["f"],
    "OPENAI_BASE_URL": f"http://{CLOSED}/v1",
}
AZURE_MODEL = {
    "AZURE_OPENAI_API_KEY": PLANTED["g"],
    "AZURE_OPENAI_ENDPOINT": f"http://{CLOSED}",
}
HEADERS = {
    "Authorization": f"Bearer {PLANTED['e']}",
    "Cookie": f"AppServiceAuthSession={PLANTED['e']}",
    "X-MS-CLIENT-PRINCIPAL": PLANTED["e"],
    "X-MS-TOKEN-AAD-ACCESS-TOKEN": PLANTED["e"],
}
GETS = ("/api/events", "/api/events/x", "/api/health", "/api/portfolios/main", "/api/dead-letters", "/api/openapi.json")
SECRET_SETTINGS = {field.alias for field in Settings.model_fields.values() if "SecretStr" in str(field.annotation)}


async def _everything(headers: dict[str, str]) -> str:
    """Ask for all kinds of things, which mostly fail, and give all that is answered."""
    async with client(headers) as api:
        answers = [await api.get(path) for path in GETS]
        answers.append(await api.post("/api/trades", json={"symbol": "IBM", "side": "buy", "quantity": 1}))
        answers.append(await api.put("/api/portfolios/main", json={"cash": 5}))
    return "".join(f"{answer.headers}{answer.text}" for answer in answers)


def _kept(folder: Path) -> str:
    return "".join(file.read_bytes().decode("latin-1") for file in folder.rglob("*") if file.is_file())


def _found(*texts: str) -> list[str]:
    return [name for name, secret in PLANTED.items() for text in texts if secret in text]


def test_secret_settings_when_there_is_a_new_one_is_planted_here() -> None:
    assert ALPACA.keys() | AZURE.keys() | MODEL.keys() | AZURE_MODEL.keys() >= SECRET_SETTINGS
    assert len(SECRET_SETTINGS) >= 6


@pytest.mark.parametrize(
    "settings", [ALPACA, AZURE, MODEL, AZURE_MODEL, {}], ids=["alpaca", "azure", "model", "azure model", "recorded"]
)
@pytest.mark.parametrize("auth", ["none", "key"])
@pytest.mark.filterwarnings("ignore:websockets.legacy")  # of alpaca-py
async def test_secrets_when_everything_fails_come_out_nowhere(
    settings: dict[str, str],
    auth: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    for name, value in (settings | {"FINAGENT_AUTH": auth}).items():
        monkeypatch.setenv(name, value)
    with caplog.at_level(logging.INFO):
        told = await _everything(HEADERS)
        current = desk()
        for tick in (current.ingest.market_tick, current.ingest.positions_tick, current.sweep.tick):
            try:
                await tick()
            except FinAgentError as error:
                told += f"{error!r} {error.__cause__!r}"
        told += repr(current) + repr(current.settings)
    assert len(told) > 1_000
    assert _found(told, caplog.text, _kept(tmp_path)) == []


async def test_key_when_it_works_or_not_comes_out_nowhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("FINAGENT_AUTH", "key")
    _, shown = await a_key(tmp_path, "alice", READ)
    wrong = {"Authorization": f"Bearer {new_key('alice', frozenset({READ}), MADE_AT)[1]}"}
    with caplog.at_level(logging.DEBUG):
        told = await _everything(shown) + await _everything(wrong)
        (tmp_path / "keys.sqlite").write_bytes(b"broken" * 1_000)
        told += await _everything(wrong)
    secrets = [headers["Authorization"][-43:] for headers in (shown, wrong)]
    assert [text for text in (told, caplog.text, _kept(tmp_path)) for secret in secrets if secret in text] == []


@pytest.mark.parametrize("settings", ["OPENAI", "AZURE_OPENAI"])
async def test_key_of_a_model_when_its_server_echoes_it_comes_out_nowhere(
    settings: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    key = PLANTED["f"]
    echo = Refuse(401, f'{{"error":{{"message":"Incorrect API key provided: {key}"}}}}'.encode())
    with OpenAIStandIn(lambda request: key) as openai, caplog.at_level(logging.DEBUG):
        openai.fail(echo, Refuse(500, key.encode(), "text/html"), Say(key), Say(f'{{"{key}": "{key}"}}'))
        monkeypatch.setenv(f"{settings}_API_KEY", key)
        where = "OPENAI_BASE_URL" if settings == "OPENAI" else "AZURE_OPENAI_ENDPOINT"
        monkeypatch.setenv(where, openai.url if settings == "OPENAI" else openai.url.removesuffix("/v1"))
        for quantity in range(1, 4):
            reached = altered(CONSENSUS, id=f"consensus-{quantity}")
            await desk().store.append([reached])
            await desk().runtime.handle(received(message_for(reached)), "narrator")
        told = await _everything({}) + repr(desk()) + repr(desk().settings)
        await desk().close()
        desk.cache_clear()
    assert openai.keys == {key}
    assert len(openai.seen) == 5
    assert "refuses (401)" in told + _kept(tmp_path)
    assert _found(told, caplog.text, _kept(tmp_path)) == []
