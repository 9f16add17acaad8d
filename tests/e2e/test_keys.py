"""`finagent keys` beside a running host: made, listed, used by the command line, revoked; never written anywhere."""

import json
import time
from pathlib import Path
from typing import Any

import httpx

from tests.e2e.process import DeskProcess, finagent

SETTINGS = {"FINAGENT_START": "2008-09-11", "FINAGENT_SPEED": "86400", "FINAGENT_AUTH": "key"}
REVOKED_SECONDS = 30
PATHS = ("/api/events", "/api/health", "/api/agents", "/api/openapi.json")


def _made(folder: Path, *arguments: str) -> dict[str, Any]:
    ran = finagent(folder, "keys", "create", *arguments, "--json")
    assert ran.returncode == 0, ran.stderr
    made: dict[str, Any] = json.loads(ran.stdout)
    return made


def _status(desk: DeskProcess, key: str, path: str = "/api/portfolios") -> int:
    with desk.client() as client:
        return client.get(path, headers={"Authorization": f"Bearer {key}"}).status_code


def test_keys_when_a_host_runs_are_made_used_and_revoked(tmp_path: Path) -> None:
    folder, log = tmp_path / "desk", tmp_path / "log"
    early = _made(folder, "--owner", "alice", "--role", "trader")
    with DeskProcess(folder, log=str(log), **SETTINGS) as desk:
        port = desk.about["url"].rpartition(":")[2]
        held = finagent(folder, "portfolio", "main", "--cash", "5", "--port", port, "--json", FINAGENT_KEY=early["key"])
        assert json.loads(held.stdout)["cash"] == 5
        assert "401" in finagent(folder, "portfolio", "main", "--port", port).stderr
        late = _made(folder, "--owner", "bob")
        assert (late["owner"], late["roles"]) == ("bob", ["reader"])
        ends = time.monotonic() + REVOKED_SECONDS
        while _status(desk, late["key"]) == 401:
            assert time.monotonic() < ends
        listed = finagent(folder, "keys", "list", "--json").stdout
        assert [json.loads(line)["id"] for line in listed.splitlines()] == [early["id"], late["id"]]
        finagent(folder, "keys", "revoke", late["id"])
        ends = time.monotonic() + REVOKED_SECONDS
        while _status(desk, late["key"]) != 401:
            assert time.monotonic() < ends
        again = [json.loads(line) for line in finagent(folder, "keys", "list", "--json").stdout.splitlines()]
        assert [each["revoked_at"] is not None for each in again] == [False, True]
        assert _status(desk, early["key"]) == 200
        assert _status(desk, early["key"], f"/api/events?key={early['key']}") == 400
        with httpx.Client(base_url=desk.about["url"], headers={"Authorization": f"Bearer {early['key']}"}) as api:
            answers = [api.get(path).text for path in PATHS]
            answers.append(api.put(f"/api/portfolios/{early['key']}", json={"cash": 1}).text)
        assert desk.stop() == 0
    secrets = [made["key"].rpartition(made["id"])[2] for made in (early, late)]
    kept = b"".join(file.read_bytes() for file in folder.iterdir())
    told = log.read_text() + listed + "".join(answers)
    assert "finagent.audit" in told
    assert [secret for secret in secrets if secret.encode() in kept or secret in told] == []


def test_host_when_it_is_told_that_it_is_in_azure_asks_for_callers(tmp_path: Path) -> None:
    ran = finagent(tmp_path, "run", "--port", "0", WEBSITE_SITE_NAME="desk")
    assert (ran.returncode, ran.stdout) == (2, "")
    assert "finagent: FINAGENT_AUTH: none is for one machine" in ran.stderr


def test_keys_when_a_revocation_names_none_says_so(tmp_path: Path) -> None:
    ran = finagent(tmp_path, "keys", "revoke", "0123456789ab")
    assert (ran.returncode, ran.stderr) == (2, "finagent: there is no key 0123456789ab\n")
