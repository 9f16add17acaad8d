"""`make bench`: measures the desk, and prints Markdown tables. Name parts to run only those."""

import sys
import tempfile
import time
from importlib import import_module
from pathlib import Path

from tests.bench.measure import BenchError, describe, machine
from tests.e2e.process import ROOT

PARTS = ("trade", "polling", "mixed", "flat", "profile")
FOLDER = ROOT / ".bench"
"""On the disk of the checkout: a folder for temporary files may lie in memory, where an fsync costs nothing."""


def main(names: list[str]) -> None:
    """Run the parts and print their tables; end with 1 and the reason where a result is wrong."""
    if unknown := sorted(set(names) - set(PARTS)):
        sys.exit(f"bench: no part {', '.join(unknown)}; there are {', '.join(PARTS)}")
    FOLDER.mkdir(exist_ok=True)
    for name in [part for part in PARTS if part in names] or PARTS:
        _measure(name)


def _measure(name: str) -> None:
    begun = time.monotonic()
    with tempfile.TemporaryDirectory(prefix=f"{name}-", dir=FOLDER) as folder:
        before = machine(Path(folder))
        try:
            tables = import_module(f"tests.bench.{name}").run(Path(folder))
        except BenchError as error:
            sys.exit(f"bench: {name}: {error}")
        after = machine(Path(folder))
    print(f"## {name}\n", *tables, describe(before, after), sep="\n")
    print(f"Took {time.monotonic() - begun:.0f} s.\n", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
