"""A real embedded host in a process of its own, on a free port, for tests that start, kill and restart it."""

import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Sequence
from contextlib import closing, nullcontext, suppress
from pathlib import Path
from random import Random
from types import TracebackType
from typing import Any, Self

import httpx

ROOT = Path(__file__).parents[2]
OURS = ("FINAGENT_", "ALPACA_", "SERVICEBUS", "COSMOS_", "OPENAI_", "AZURE_OPENAI_", "OTEL_", "APPLICATIONINSIGHTS_")
"""How the names of our settings begin."""


class DeskProcess:
    """A desk that runs `finagent run` on a folder.

    Parameters
    ----------
    folder : Path
        Its data; kept when the process ends, so that a restart goes on with it.
    port : str
        Where it listens; 0 takes any free port, and another one after a restart.
    program : str
        The module that is the `finagent` command.
    log : str
        A file to be made for what it logs, which is shown with the test's own output otherwise.
    **settings : str
        Environment variables, for example `FINAGENT_SPEED="86400"`.
    """

    def __init__(
        self, folder: Path, *, port: str = "0", program: str = "local.cli", log: str = "", **settings: str
    ) -> None:
        self.folder = folder
        self._port = port
        self._program = program
        self._log = log
        self._settings = settings
        self._process: subprocess.Popen[str] | None = None
        self.about: dict[str, Any] = {}

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.runs:
            self.kill()

    def start(self) -> None:
        """Start it, and return when it answers."""
        self.begin()
        self.wait_until_ready()

    def begin(self) -> None:
        """Start it without waiting for anything."""
        self._process = launch(
            self.folder, "run", "--port", self._port, "--json", program=self._program, log=self._log, **self._settings
        )

    def wait_until_ready(self) -> None:
        """Return when it answers and its agents know what happened before."""
        assert self._process is not None
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, "the host did not start"
        self.about = json.loads(line)

    def kill(self) -> None:
        """Kill it as a power cut would: no handler runs."""
        assert self._process is not None
        self._process.send_signal(signal.SIGKILL)
        self._ended()

    def stop(self) -> int:
        """Ask it to stop, and give its exit code."""
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)
        return self._ended()

    def _ended(self) -> int:
        assert self._process is not None
        assert self._process.stdout is not None
        code = self._process.wait(timeout=30)
        self._process.stdout.close()
        return code

    @property
    def runs(self) -> bool:
        """Whether it was started and has not ended."""
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        """Its process id."""
        assert self._process is not None
        return self._process.pid

    @property
    def file(self) -> Path:
        """Its SQLite file."""
        return self.folder / "recorded.sqlite"

    def client(self) -> httpx.Client:
        """Give a client of its API."""
        return httpx.Client(base_url=self.about["url"], timeout=30, trust_env=False)


def free_port(random: Random) -> str:
    """Give a port that nobody listens on, and that no connection is given by chance while the desk is down."""
    while True:
        with socket.socket() as taken, suppress(OSError):
            taken.bind(("127.0.0.1", port := random.randrange(20_000, 32_000)))
            return str(port)


def read_log(file: Path, sql: str, parameters: Sequence[object] = ()) -> list[tuple[Any, ...]]:
    """Query the file of a desk that is stopped."""
    with closing(sqlite3.connect(file)) as log:
        return log.execute(sql, parameters).fetchall()


def environment(folder: Path, **settings: str) -> dict[str, str]:
    """Give an environment without the tester's own settings."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(OURS)}
    return {**kept, "FINAGENT_DATA": str(folder), "PYTHONPATH": str(ROOT), **settings}


def launch(
    folder: Path, *arguments: str, program: str = "local.cli", log: str = "", **settings: str
) -> "subprocess.Popen[str]":
    """Start a `finagent` command."""
    with Path(log).open("w") if log else nullcontext() as file:
        return subprocess.Popen(
            [sys.executable, "-m", program, *arguments],
            env=environment(folder, **settings),
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=file,
            text=True,
        )


def finagent(folder: Path, *arguments: str, **settings: str) -> "subprocess.CompletedProcess[str]":
    """Run a `finagent` command to its end."""
    return subprocess.run(
        [sys.executable, "-m", "local.cli", *arguments],
        env=environment(folder, **settings),
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
