"""Measures: quantiles of what was timed, and what the machine was like meanwhile."""

import os
import sqlite3
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from tests.bench.table import Cell, Table

BLOCK_BYTES = 4_096
FSYNCS = 200


class BenchError(Exception):
    """A result is not what it must be, so that its figures mean nothing."""


def quantile(values: Sequence[float], share: float) -> float:
    """Give the smallest value that at least `share` (0 to 1) of the values do not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def fsync_milliseconds(folder: Path) -> list[float]:
    """Time `FSYNCS` writes of a block, each brought to the disk that `folder` is on."""
    path, took = folder / "fsync", list[float]()
    with path.open("wb", buffering=0) as file:
        for _ in range(FSYNCS):
            file.write(os.urandom(BLOCK_BYTES))
            begun = time.perf_counter()
            os.fsync(file.fileno())
            took.append(1_000 * (time.perf_counter() - begun))
    path.unlink()
    return took


def cpu_seconds(pid: int) -> float:
    """Give the processor time that a process of this machine (Linux) has used so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def machine(folder: Path) -> tuple[Cell, ...]:
    """Say how busy the machine and its disk are, as a row for `describe`."""
    took, load = fsync_milliseconds(folder), os.getloadavg()
    return (load[0], load[1], quantile(took, 0.5), quantile(took, 0.99), len(took))


def describe(before: tuple[Cell, ...], after: tuple[Cell, ...]) -> Table:
    """Say what a part ran on, and how busy that was before and after it."""
    python = ".".join(map(str, sys.version_info[:3]))
    return Table(
        "Machine",
        ("when", "load, 1 min", "load, 5 min", "fsync p50, ms", "fsync p99, ms", "n"),
        [("before", *before), ("after", *after)],
        f"{os.cpu_count()} cores, {sys.platform}, Python {python}, SQLite {sqlite3.sqlite_version}.",
    )
