"""Prints what the check of `infra/` found; exits with 1 when it found anything."""

import sys
from pathlib import Path

from tools.infra.check import check
from tools.infra.schema import schema, sources

ROOT = Path(__file__).parents[2] / "infra"


def main() -> int:
    """Check, and say what was checked against what."""
    report = check(ROOT)
    for finding in report.findings:
        print(f"infra/{finding}")
    for file, source in sources().items():
        types = [name for name, kind in schema().resources.items() if kind.source == file and report.checked[name]]
        print(f"{sum(report.checked[name] for name in types)} resources of {len(types)} types against {source}")
        if file == "own.json":
            print("  " + ", ".join(types))
    print(f"{len(report.findings)} findings; types and policies only: az bicep build and what-if run in the workflows")
    return 1 if report.findings else 0


if __name__ == "__main__":
    sys.exit(main())
