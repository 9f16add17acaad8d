"""`make bench`: measures the desk, and prints Markdown tables. Name parts to run only those."""

import os
import sys
import tempfile
import time
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

from tests.bench.measure import BenchError, describe, machine
from tests.e2e.process import ROOT

PARTS = (
    *("trade", "polling", "mixed", "flat", "profile", "bill", "azure", "alarms", "forecast", "var", "replay", "memory"),
    "agents",
)
FOLDER = ROOT / ".bench"
"""On the disk of the checkout: a folder for temporary files may lie in memory, where an fsync costs nothing."""


def main(names: list[str]) -> None:
    """Run the parts and print their tables; end with 1 and the reason where a result is wrong."""
    if unknown := sorted(set(names) - set(PARTS)):
        sys.exit(f"bench: no part {', '.join(unknown)}; there are {', '.join(PARTS)}")
    # As `finagent` has it: a second thread of numpy's spins while it waits for a processor. Read when numpy is loaded.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    FOLDER.mkdir(exist_ok=True)
    for name in [part for part in PARTS if part in names] or PARTS:
        _measure(name)


def _measure(name: str) -> None:
    begun, problems = time.monotonic(), list[str]()
    with tempfile.TemporaryDirectory(prefix=f"{name}-", dir=FOLDER) as folder:
        before = machine(Path(folder))
        try:
            tables = import_module(f"tests.bench.{name}").run(Path(folder))
        except* BenchError as wrong:  # of one task among many it comes in a group
            problems = [str(error) for error in _leaves(wrong)]
        after = machine(Path(folder))
    if problems:
        sys.exit(f"bench: {name}: {problems[0]}")
    print(f"### {name}\n", *tables, describe(before, after), sep="\n")
    print(f"Took {time.monotonic() - begun:.0f} s.\n", flush=True)


def _leaves(group: BaseExceptionGroup[BaseException]) -> Iterator[BaseException]:
    for error in group.exceptions:
        yield from _leaves(error) if isinstance(error, BaseExceptionGroup) else (error,)


if __name__ == "__main__":
    main(sys.argv[1:])
