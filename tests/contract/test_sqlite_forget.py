"""Forgetting an owner of a desk in one file: nothing is left in it, nor in its write-ahead log, nor beside it."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path

import pytest
from typer.testing import CliRunner

from local.cli import app
from shared.engine import Engine, embedded
from shared.errors import TransientError
from shared.forget import forget
from shared.settings import Settings
from tests.contract.forgetting import FOUND, ForgettingContract, a_desk, exported, planted


@asynccontextmanager
async def opened(folder: Path) -> AsyncIterator[Engine]:
    """Open the engine of a folder."""
    engine = embedded(Settings.from_env({"FINAGENT_DATA": str(folder), "FINAGENT_AUTH": "key"}))
    try:
        yield engine
    finally:
        await engine.close()


def all_of(folder: Path) -> bytes:
    """Give all files of a folder."""
    return b"".join(file.read_bytes() for file in folder.iterdir())


class TestSqliteForgetting(ForgettingContract):
    @pytest.fixture(autouse=True)
    def _folders(self, tmp_path: Path) -> None:
        self.folders = (tmp_path / str(number) for number in count())

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[Engine]:
        async with opened(next(self.folders)) as engine:
            yield engine

    def bytes_of(self, engine: Engine) -> bytes:
        assert engine.database is not None
        return all_of(engine.database.path.parent)


async def test_owner_when_the_run_is_stopped_before_the_file_is_written_anew_is_gone_after_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def stopped() -> None:
        raise TransientError("stopped")

    async with opened(tmp_path) as engine:
        await a_desk(engine)
        with monkeypatch.context() as patched:
            patched.setattr(engine.database, "scrub", stopped)
            with pytest.raises(TransientError):
                await forget(engine.holders, "alice", is_trial=False)
        assert planted("alice") not in await exported(engine)
    async with opened(tmp_path) as engine:
        assert not any((await forget(engine.holders, "alice", is_trial=False)).values())
        assert planted("alice") not in all_of(tmp_path)


async def test_owner_when_somebody_reads_the_file_is_gone_from_it_only_after_the_next_run(tmp_path: Path) -> None:
    async with opened(tmp_path) as engine:
        await a_desk(engine)
        assert engine.database is not None
        other = sqlite3.connect(engine.database.path, isolation_level=None)
        other.execute("BEGIN")
        other.execute("SELECT count(*) FROM events").fetchone()
        with pytest.raises(TransientError, match=r"read|written anew"):
            await forget(engine.holders, "alice", is_trial=False)
        other.close()
        assert await forget(engine.holders, "alice", is_trial=False) == dict.fromkeys(FOUND, 0)
        assert planted("alice") not in all_of(tmp_path)


def test_command_when_a_host_is_at_work_refuses_and_leaves_all_and_forgets_when_it_has_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {"FINAGENT_DATA": str(tmp_path), "FINAGENT_AUTH": "key", "FINAGENT_TICK": "0 * * * * *"}.items():
        monkeypatch.setenv(name, value)
    command = ["forget", "--owner", "alice", "--yes"]
    host = embedded(Settings.from_env({"FINAGENT_DATA": str(tmp_path), "FINAGENT_AUTH": "key"}))
    try:
        asyncio.run(a_desk(host))
        refused = CliRunner().invoke(app, command)
        assert (refused.exit_code, "in use by another FinAgent host" in refused.output) == (2, True), refused.output
        assert "alice" in {key.owner for key in asyncio.run(host.keys.keys())}
        assert planted("alice") in asyncio.run(exported(host))
    finally:
        asyncio.run(host.close())
    done = CliRunner().invoke(app, command)
    assert (done.exit_code, "Deleted what was alice's" in done.output) == (0, True), done.output
    assert planted("alice") not in all_of(tmp_path)
    assert planted("alice-2") in all_of(tmp_path)
