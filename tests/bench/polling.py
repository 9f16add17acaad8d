"""Polling: pages of 50 events out of a million, the desk's host beside two servers of the same log, in turns."""

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from shared.store.cursor import write_cursor
from tests.bench.log import EVENTS, folder_of_log
from tests.bench.measure import BenchError, cpu_seconds, quantile
from tests.bench.panel import SETTINGS
from tests.bench.table import Table
from tests.e2e.process import ROOT, DeskProcess, environment, read_log

ROUNDS = 5
ROUND_SECONDS = 3
CONNECTIONS = 32
PAGE = 50
PAGES = 2_000
CHECKED = 20
LEAST_SIZE = 0.98
"""Share of a page's mean bytes: pages differ by some digits, and headers come on top."""

OURS = "FinAgent host"
SCENARIOS = {"any page": range(0, EVENTS - PAGE, (EVENTS - PAGE) // PAGES), "the first page": range(1)}


@dataclass
class Server:
    """What is measured, and what wrk said of it by scenario, a document a round."""

    url: str
    pid: int
    cursor: str
    page_bytes: float = 0.0
    rounds: dict[str, list[dict[str, Any]]] = field(default_factory=lambda: {name: [] for name in SCENARIOS})

    def addresses(self, scenario: str) -> list[str]:
        """Give the addresses of a scenario's pages."""
        return [f"/api/events?limit={PAGE}&after={self.cursor.format(start)}" for start in SCENARIOS[scenario]]

    def ids(self) -> list[list[str]]:
        """Give the ids in some of the pages, after a look at whether these are what was asked for."""
        addresses = self.addresses("any page")
        with httpx.Client(base_url=self.url, trust_env=False) as client:
            answers = [client.get(address) for address in addresses[:: len(addresses) // CHECKED]]
        self.page_bytes = sum(len(answer.content) for answer in answers) / len(answers)
        return [_ids(answer) for answer in answers]

    def rates(self, scenario: str) -> list[float]:
        """Give the requests per second of each round."""
        return [1e6 * each["requests"] / each["microseconds"] for each in self.rounds[scenario]]


def run(folder: Path) -> list[Table]:
    """Measure all servers."""
    if shutil.which("wrk") is None:
        raise BenchError("wrk is missing: apt-get install wrk, brew install wrk, or https://github.com/wg/wrk")
    kept = folder_of_log(folder.parent)
    file = kept / "recorded.sqlite"
    ((log,),) = read_log(file, "SELECT name FROM log")
    with ExitStack() as stack:
        host = stack.enter_context(DeskProcess(kept, **SETTINGS))
        servers = {OURS: Server(host.about["url"], host.pid, write_cursor(log, 0)[:-1] + "{}")}
        for name in ("starlette", "fastapi"):
            servers[name] = Server(*stack.enter_context(_serving(name, file)), "{}")
        _check_pages(servers)
        for _ in range(ROUNDS):
            for scenario in SCENARIOS:
                for name, server in servers.items():
                    server.rounds[scenario].append(_wrk(name, server, scenario, folder))
        _check_pages(servers)
    return [_table(scenario, servers) for scenario in SCENARIOS]


@contextmanager
def _serving(name: str, file: Path) -> Iterator[tuple[str, int]]:
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.bench.page_server", name, str(file)],
        env=environment(file.parent),
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            assert process.stdout is not None
            yield json.loads(process.stdout.readline())["url"], process.pid
        finally:
            process.kill()


def _wrk(name: str, server: Server, scenario: str, folder: Path) -> dict[str, Any]:
    listed = folder / "addresses"
    listed.write_text("\n".join(server.addresses(scenario)) + "\n")
    script = str(Path(__file__).with_suffix(".lua"))
    load = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{ROUND_SECONDS}s", "-s", script, server.url, "--", str(listed)]
    worked = cpu_seconds(server.pid)
    printed = subprocess.run(load, capture_output=True, text=True, check=True).stdout
    figures: dict[str, Any] = json.loads(printed.splitlines()[-1])
    if figures["failed"] or figures["bytes"] < LEAST_SIZE * server.page_bytes * figures["requests"]:
        raise BenchError(f"{name}: {figures['failed']} requests failed, or answers were too short: {printed}")
    return figures | {"cpu_seconds": cpu_seconds(server.pid) - worked}


def _check_pages(servers: dict[str, Server]) -> None:
    pages = {name: server.ids() for name, server in servers.items()}
    if any(page != pages[OURS] for page in pages.values()):
        raise BenchError("the servers do not give the same events")


def _ids(answer: httpx.Response) -> list[str]:
    if answer.status_code != httpx.codes.OK:
        raise BenchError(f"{answer.url} answered {answer.status_code}")
    found = [str(event["id"]) for event in answer.json()["events"]]
    if len(set(found)) != PAGE:
        raise BenchError(f"{answer.url} gave {len(found)} events")
    return found


def _table(scenario: str, servers: dict[str, Server]) -> Table:
    ours, rows = servers[OURS].rates(scenario), []
    for name, server in servers.items():
        rounds, rates = server.rounds[scenario], server.rates(scenario)
        ratios = [mine / its for mine, its in zip(ours, rates, strict=True)]
        total = sum(each["requests"] for each in rounds)
        cpu, size = (sum(each[key] for each in rounds) / total for key in ("cpu_seconds", "bytes"))
        milliseconds = {key: quantile([each[key] / 1_000 for each in rounds], 0.5) for key in ("p50", "p99")}
        row = (quantile(rates, 0.5), f"{quantile(ratios, 0.5):.2f}", milliseconds["p50"], milliseconds["p99"])
        rows.append((name, *row, 1e6 * cpu, size / 1_000, total))
    return Table(
        f"Polling {scenario} of {PAGE} events out of {EVENTS:,}, {CONNECTIONS} connections",
        ("who", "requests/s", "FinAgent : it", "p50, ms", "p99, ms", "CPU a request, µs", "kB a page", "n"),
        rows,
        f"Medians of {ROUNDS} rounds of {ROUND_SECONDS} s with `wrk -t1`; all are durable reads of one file, by one"
        " process on one event loop.",
    )
