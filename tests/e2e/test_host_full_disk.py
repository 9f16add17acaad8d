"""A host whose disk is full for a while refuses new work, and loses none that it took."""

import resource
import time
from pathlib import Path

import pytest

from tests.e2e.process import DeskProcess, read_log

FULL_SECONDS = 3


@pytest.mark.skipif(not hasattr(resource, "prlimit"), reason="only Linux lets a test limit another process's files")
def test_trades_when_the_disk_is_full_for_a_while_are_refused_or_decided(tmp_path: Path) -> None:
    with DeskProcess(tmp_path, FINAGENT_SPEED="1000", FINAGENT_START="2008-09-12") as desk:
        accepted = [_ask(desk, number) for number in range(10)]
        _limit_files(desk.pid, 4_096)
        answers = [_ask(desk, number) for number in range(10, 60)]
        assert None in answers, "the disk was never full"
        with desk.client() as client:
            assert client.get("/api/health").status_code == 503
        time.sleep(FULL_SECONDS)
        _limit_files(desk.pid, resource.RLIM_INFINITY)
        retried = [_patiently(desk, number) for number in range(60)]
        assert [trade for trade in accepted + answers if trade and trade not in retried] == []
        for trade in retried:
            _wait_until_decided(desk, trade)
        assert desk.stop() == 0
    votes = read_log(desk.file, "SELECT stream, count(*) FROM events WHERE type = 'opinion.formed' GROUP BY 1")
    assert len(votes) == 60
    assert {count for _, count in votes} == {3}
    assert read_log(desk.file, "SELECT count(*) FROM deliveries WHERE dead_reason IS NOT NULL") == [(0,)]
    assert read_log(desk.file, "SELECT count(*) FROM events WHERE type = 'step.failed'") == [(0,)]


def _limit_files(pid: int, size: int) -> None:
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


def _ask(desk: DeskProcess, number: int) -> str | None:
    with desk.client() as client:
        answer = client.post(
            "/api/trades",
            json={"symbol": "IBM", "side": "buy", "quantity": number + 1},
            headers={"Idempotency-Key": f"full-{number}"},
        )
    assert answer.status_code in (202, 503), answer.text
    return str(answer.json()["id"]) if answer.status_code == 202 else None


def _patiently(desk: DeskProcess, number: int) -> str:
    for _ in range(100):
        if (trade := _ask(desk, number)) is not None:
            return trade
        time.sleep(0.1)
    raise AssertionError("the desk did not recover")


def _wait_until_decided(desk: DeskProcess, trade: str) -> None:
    with desk.client() as client:
        cursor = ""
        while client.get(f"/api/trades/{trade}").json()["state"] == "open":
            page = client.get("/api/events", params={"after": cursor, "correlation": trade, "wait": 20}).json()
            cursor = page["cursor"]
