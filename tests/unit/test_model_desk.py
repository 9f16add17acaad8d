"""A desk with a language model, and without: what is asked, how often, and what becomes of it."""

import subprocess
import sys
from pathlib import Path

import pytest

from shared.bus.port import message_for
from shared.bus.topology import topology
from shared.events.explanation import ExplanationWritten
from shared.events.step import StepFailed
from shared.events.trade import ConsensusReached, TradeRequested
from shared.llm.openai import OpenAICompleter
from shared.model import completer
from shared.settings import Settings
from shared.wiring import build
from tests.builders import a_trade_request
from tests.contract.model_bench import a_model
from tests.standins.desk import an_agent_desk
from tests.standins.openai.faults import web_page
from tests.standins.openai.model import explains, small
from tests.standins.openai.server import KEY, OpenAIStandIn

ROOT = Path(__file__).parents[2]
WITHOUT_KEY = """
import asyncio, sys
from shared.settings import Settings
from shared.wiring import build
import function_app
desk = build(Settings.from_env({"FINAGENT_DATA": sys.argv[1]}))
asyncio.run(desk.close())
loaded = {name.partition(".")[0] for name in sys.modules}
assert not {"openai", "httpx2", "mem0"} & loaded, loaded
"""


async def published(desk, request: TradeRequested) -> None:  # type: ignore[no-untyped-def]
    """Tell a desk of a request, and let it work until nothing is left."""
    await desk.store.append([request])
    await desk.bus.publish([message_for(request)])
    await desk.run()


async def test_trade_when_the_desk_has_a_model_is_explained_once() -> None:
    request = a_trade_request(quantity=3)
    with OpenAIStandIn(explains) as openai:
        async with a_model(openai) as bench:
            desk = an_agent_desk(topology(), model=bench.model, duplicates_seen=False)
            await published(desk, request)
            asked = len(openai.seen)
            (reached,) = [event for event in await desk.log() if isinstance(event, ConsensusReached)]
            await desk.bus.publish([message_for(reached)])  # it comes again
            await desk.run()
    (written,) = [event for event in await desk.log() if isinstance(event, ExplanationWritten)]
    assert (asked, len(openai.seen)) == (1, 1)
    assert written.data.explains == reached.id
    assert f"It was {reached.data.decision} with a score of {reached.data.score:+.2f}" in written.data.text


async def test_trade_when_the_model_fails_is_decided_all_the_same() -> None:
    request = a_trade_request(quantity=3)
    plain = an_agent_desk(topology())
    await published(plain, request)
    with OpenAIStandIn(explains) as openai:
        openai.fail(*[web_page()] * 2)
        async with a_model(openai) as bench:
            desk = an_agent_desk(topology(), model=bench.model)
            await published(desk, request)
    log = await desk.log()
    assert [e.json_bytes for e in log if not isinstance(e, ExplanationWritten)] == [
        event.json_bytes for event in await plain.log()
    ]
    (written,) = [event for event in log if isinstance(event, ExplanationWritten)]
    assert "failed (500)" in str(written.data.abstained)


async def test_trades_when_the_model_is_a_small_one_show_reasons_and_no_errors() -> None:
    with OpenAIStandIn(small(7)) as openai:
        async with a_model(openai) as bench:
            desk = an_agent_desk(topology(), model=bench.model)
            for quantity in range(1, 9):
                await published(desk, a_trade_request(quantity=quantity))
    log = await desk.log()
    written = [event.data for event in log if isinstance(event, ExplanationWritten)]
    assert len(written) == 8
    assert any(each.abstained for each in written)
    assert all(bool(each.text) is (each.abstained is None) for each in written)
    assert not [event for event in log if isinstance(event, StepFailed)]


def test_app_when_there_is_no_key_never_imports_the_sdk(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-c", WITHOUT_KEY, str(tmp_path)], cwd=ROOT, check=True, timeout=120)


@pytest.mark.parametrize(
    ("settings", "is_sent"),
    [({}, False), ({"OPENAI_API_KEY": KEY}, True), ({"OPENAI_BASE_URL": "http://127.0.0.1:9/v1"}, True)],
    ids=["no model", "a key", "a server"],
)
async def test_consensus_when_there_is_a_model_is_sent_to_the_narrator(
    settings: dict[str, str], is_sent: bool, tmp_path: Path
) -> None:
    desk = build(Settings.from_env({"FINAGENT_DATA": str(tmp_path), **settings}))
    try:
        assert desk.queries.topology.has("events", "narrator") is is_sent
        assert ("events/narrator" in await desk.bus.backlog()) is is_sent
        assert ("events/narrator" in desk.sweep.topology.wanting("events", "consensus.reached")) is is_sent
        assert desk.queries.topology.has("events", "consensus")
    finally:
        await desk.close()


@pytest.mark.parametrize(
    ("environment", "url", "key"),
    [
        ({"OPENAI_API_KEY": KEY}, "https://api.openai.com/v1", KEY),
        ({"OPENAI_API_KEY": KEY, "OPENAI_BASE_URL": "http://a.example/v1"}, "http://a.example/v1", KEY),
        ({"OPENAI_BASE_URL": "http://a.example/v1"}, "http://a.example/v1", "none"),
        ({"AZURE_OPENAI_ENDPOINT": "https://x.openai.azure.com/"}, "https://x.openai.azure.com/openai/v1", None),
        (
            {"AZURE_OPENAI_ENDPOINT": "https://x.openai.azure.com", "AZURE_OPENAI_API_KEY": KEY, "OPENAI_API_KEY": "o"},
            "https://x.openai.azure.com/openai/v1",
            KEY,
        ),
    ],
    ids=["openai", "a server with a key", "a server", "azure by identity", "azure by key"],
)
def test_server_when_settings_name_one_is_that(environment: dict[str, str], url: str, key: str | None) -> None:
    server = completer(Settings.from_env(environment | {"FINAGENT_MODEL": "m"}))
    assert isinstance(server, OpenAICompleter)
    assert (server._server.url, server._server.key, server.model) == (url, key, "m")
    assert KEY not in repr(server._server)


def test_topology_when_a_subscription_is_left_out_has_no_way_there() -> None:
    whole = topology()
    assert "events/narrator" in whole.wanting("events", "risk.assessed")
    left = whole.without("narrator")
    assert left.wanting("events", "risk.assessed") == ("events/portfolio-optimizer", "events/projector")
    assert left.wanting("events", "options.suggested") == ("events/projector",)
    assert left.lock_seconds == whole.lock_seconds


def test_settings_when_they_name_no_server_give_none() -> None:
    assert completer(Settings.from_env({"FINAGENT_MODEL": "m", "AZURE_OPENAI_API_KEY": KEY})) is None
