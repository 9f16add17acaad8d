"""Readiness over HTTP: whoever asks is told to wait while what happened before is being read, and when that is over."""

from pathlib import Path

import pytest

from shared.ingest import Status
from shared.vitals import PROOF_SECONDS, Vitals
from shared.wiring import desk
from tests.functions.guarded import READ, a_key, client


async def test_desk_when_its_history_is_being_read_is_unavailable_to_everybody_until_it_is_read(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("FINAGENT_AUTH", "key")
    _, shown = await a_key(tmp_path, "rita", READ)
    first = desk().ingest.status["market"] = Status(is_opening=True)
    async with client() as api:
        to_nobody, to_reader = await api.get("/api/health"), await api.get("/api/health", headers=shown)
        assert (to_nobody.status_code, to_nobody.json()) == (503, {"status": "unavailable"})
        assert (to_reader.status_code, to_reader.json()["status"]) == (503, "unavailable")
        assert to_reader.json()["problems"] == ["market: what happened before is still being read"]
        first.is_opening = False
        _look_again(desk().vitals)
        answers = [(await api.get("/api/health", headers=headers)).status_code for headers in ({}, shown)]
    assert answers == [200, 200]


def _look_again(vitals: Vitals) -> None:
    """Let what was told a moment ago be older than it may be told for."""
    vitals._told_until -= PROOF_SECONDS
