"""Forgetting an owner of a desk in Cosmos, whatever it is stopped by half-way."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest

from shared.engine import Engine, azure
from shared.errors import TransientError
from shared.forget import forget
from shared.settings import Settings
from shared.store.cosmos_account import CosmosAccount
from shared.store.cosmos_container import STATE, create_containers
from shared.store.cosmos_erase import delete
from tests.contract.cosmos_bench import account, on_the_stand_in
from tests.contract.forgetting import FOUND, ForgettingContract, a_desk, planted
from tests.standins.cosmos.server import KEY, CosmosStandIn
from tests.standins.cosmos.service import CosmosService, encode

BUS = "Endpoint=sb://nowhere.example;SharedAccessKeyName=a;SharedAccessKey=YQ=="


def kept_in(standin: CosmosStandIn) -> bytes:
    """Give every item of the account."""
    homes = (home for database in standin.service.databases.values() for home in database.containers.values())
    parts = (part for home in homes for part in home.partitions)
    return b"".join(encode(item.body) for part in parts for item in part.items.values())


@asynccontextmanager
async def opened() -> AsyncIterator[tuple[Engine, CosmosStandIn]]:
    """Open an engine on an account of its own, of two physical partitions."""
    async with CosmosStandIn(CosmosService(partitions=2)) as standin:
        await create_containers(standin.url, KEY)
        named = {"COSMOS_KEY": KEY, "COSMOS_ENDPOINT": standin.url, "SERVICEBUS": BUS}
        engine = azure(Settings.from_env(named), BUS, standin.url)
        try:
            yield engine, standin
        finally:
            await engine.close()


@on_the_stand_in
class TestCosmosForgetting(ForgettingContract):
    @asynccontextmanager
    async def opened(self) -> AsyncIterator[Engine]:
        async with opened() as (engine, self.standin):
            yield engine

    def bytes_of(self, engine: Engine) -> bytes:
        return kept_in(self.standin)

    def found(self) -> dict[str, int]:
        kinds = FOUND | {"rows of read models": 4}  # each key is listed in a partition of its own
        return {kind: count for kind, count in kinds.items() if kind != "messages"}


@on_the_stand_in
async def test_owner_when_every_run_is_stopped_a_call_later_is_gone_in_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    batch, left = CosmosAccount.batch, 0
    # Of the ledger's 92 days each would be asked for in each run.
    monkeypatch.setattr("shared.ledger.cosmos_forget.LIFE", timedelta(days=1))

    async def stopping(account: CosmosAccount, *arguments: object) -> None:
        nonlocal left
        left -= 1
        if left < 0:
            raise TransientError("stopped")
        await batch(account, *arguments)  # type: ignore[arg-type]

    async with opened() as (engine, standin):
        await a_desk(engine)
        monkeypatch.setattr(CosmosAccount, "batch", stopping)
        runs = 0
        while True:
            runs, left = runs + 1, 1
            try:
                await forget(engine.holders, "alice", is_trial=False)
            except TransientError:
                assert runs < 50
                continue
            break
        assert runs > 5
        assert planted("alice") not in kept_in(standin)
        assert planted("alice-2") in kept_in(standin)


@on_the_stand_in
async def test_deletion_when_somebody_was_first_asks_for_another_run() -> None:
    async with CosmosStandIn(CosmosService()) as standin, account(standin) as opened_account:
        with pytest.raises(TransientError, match="do it again"):
            await delete(opened_account, STATE, "stream", [{"id": "gone", "stream": "trade-gone"}])
