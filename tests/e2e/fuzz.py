"""Schemathesis over the API's own document, against a real desk.

`python -m tests.e2e.fuzz 600` sends some 10,000 requests; with a seed after it, others.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import httpx

from tests.e2e.process import ROOT, DeskProcess

SEED = 20081015
_PORTFOLIO = "fuzzed"
_SYMBOL = "^[A-Z][A-Z0-9.]{0,11}$"
_SHORT_REPLAY: dict[str, Any] = {
    "first_day": {"enum": ["2008-01-03", "2008-01-04"]},
    "last_day": {"enum": ["2008-01-04", "2008-01-08"]},
    "benchmark": {"enum": ["buy_and_hold", "equal_weight"]},
    "agents": {"type": "array", "items": {"enum": ["oracle", "risk_manager"]}, "uniqueItems": True},
}
"""Each request is played; `fuzz_hooks` shortens what the agents know before."""
_OPTIONS = (
    *("--checks=all", "--continue-on-failure", "--request-timeout=10", "--suppress-health-check=all", "--warnings=off"),
    *("--generation-database=none", "--no-color"),
)


def fuzz(
    desk: DeskProcess, examples: int, folder: Path, seed: int = SEED, client: httpx.Client | None = None
) -> tuple[int, str]:
    """Send each operation right and wrong requests, up to `examples` of each kind in each phase.

    Parameters
    ----------
    client : httpx.Client, optional
        One that shows a key, where the desk asks for it.

    Returns
    -------
    int
        0 when nothing failed.
    str
        What schemathesis says: how many requests, the seed, and a `curl` line for each failure.
    """
    with client or desk.client() as client:
        client.put(f"/api/portfolios/{_PORTFOLIO}", json={"cash": 1}).raise_for_status()
        file = folder / "openapi.json"
        file.write_text(json.dumps(_document(client, desk.about["symbols"])), "utf-8")
    shown = client.headers.get("authorization")
    amount = (
        *([f"--header=Authorization: {shown}"] if shown else []),
        f"--url={desk.about['url']}",
        f"--max-examples={examples}",
        f"--seed={seed}",
    )
    done = subprocess.run(
        [sys.executable, "-m", "schemathesis.cli", "run", file, *amount, *_OPTIONS],
        env={**os.environ, "SCHEMATHESIS_HOOKS": "tests.e2e.fuzz_hooks", "PYTHONPATH": str(ROOT)},
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout


def _document(client: httpx.Client, symbols: list[str]) -> dict[str, Any]:
    """Give the document with what only this desk, or no schema, can tell, so that right requests are all right."""
    document: dict[str, Any] = client.get("/api/openapi.json").json()
    cursor = client.get("/api/events?limit=5").json()["cursor"]
    schemas = document["components"]["schemas"]
    _tell(document, symbols)
    schemas["TradeRequest"]["properties"]["portfolio"] = {"enum": [_PORTFOLIO, None]}
    schemas["OptionsRequest"]["properties"]["portfolio"] = {"enum": [_PORTFOLIO, None]}
    schemas["Submission"]["properties"]["published_at"] = {"enum": ["2008-01-02T21:00:00Z", None]}
    schemas["ReplayRequest"]["properties"] |= _SHORT_REPLAY
    schemas["Holdings"]["properties"]["positions"]["maxItems"] = 1  # no symbol may come twice
    told = {
        "after": {"enum": ["", "latest", cursor]},
        "last-event-id": {"enum": [""]},  # it goes before `after`, which is then not looked at
        "from": {"enum": ["2008-02-01T00:00:00Z", "2008-02-29T16:00:00-05:00"]},
        "since": {"enum": ["2008-02-01T00:00:00Z"]},
        "to": {"enum": ["2008-03-03T21:00:00Z", "2008-08-01T00:00:00+02:00"]},
    }
    for item in document["paths"].values():
        for operation in item.values():
            for parameter in operation.get("parameters", []):
                parameter["schema"] = told.get(parameter["name"], parameter["schema"])
    return document


def _tell(node: Any, symbols: list[str]) -> None:
    if isinstance(node, dict) and node.get("pattern") == _SYMBOL:
        node["enum"] = symbols
    for child in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        _tell(child, symbols)


def _run(examples: int, seed: int) -> int:
    settings = {"FINAGENT_START": "2008-09-11", "FINAGENT_SPEED": "86400"}
    with tempfile.TemporaryDirectory() as folder, DeskProcess(Path(folder) / "desk", **settings) as desk:
        code, said = fuzz(desk, examples, Path(folder), seed)
    print(said)
    return code


if __name__ == "__main__":
    sys.exit(_run(int(sys.argv[1]), int(sys.argv[2]) if sys.argv[2:] else SEED))
