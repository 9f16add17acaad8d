"""Run Microsoft's own tests of azure-cosmos, from its source distribution, against the stand-in.

`make cosmos-conformance` downloads the sources of the version that is installed, runs the files below, and compares
what fails with `conformance.txt`, the list of what the stand-in does not cover. It fails on any other failure, and on
a line of the list that is not needed any more.
"""

import asyncio
import os
import re
import subprocess
import sys
import tarfile
import tempfile
import xml.etree.ElementTree as ElementTree
from importlib.metadata import version
from pathlib import Path

from tests.standins.cosmos.server import KEY, CosmosStandIn

FILES = (
    "crud_async",
    "crud_container_async",
    "crud_database_async",
    "query_async",
    "query_cross_partition_async",
    "query_feed_range_async",
    "query_vector_similarity_async",
    "change_feed_async",
    "changefeed_partition_key_variation_async",
    "transactional_batch_async",
    "partition_key_async",
    "session_async",
    "orderby",
    "aggregate",
    "ttl",
)
_RANDOM = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
TOO_SOON = "sooner than the test's time-out"
LIST = Path(__file__).with_name("conformance.txt")
# What the tests import of Microsoft's test tools, which are not published.
TOOLS = {
    "__init__.py": "",
    "azure_recorded_testcase.py": "def get_credential(**_):\n    return None\n",
    "helpers.py": "def is_live():\n    return False\n",
}


def fetch(folder: Path) -> Path:
    """Download and unpack the sources of the installed azure-cosmos."""
    name = f"azure-cosmos=={version('azure-cosmos')}"
    pip = [
        sys.executable,
        "-m",
        "pip",
        "download",
        "--quiet",
        "--no-binary",
        ":all:",
        "--no-deps",
        "--dest",
        str(folder),
    ]
    subprocess.run([*pip, name], check=True)
    with tarfile.open(next(folder.glob("azure_cosmos-*.tar.gz"))) as archive:
        archive.extractall(folder, filter="data")
    tools = folder / "devtools_testutils"
    tools.mkdir()
    for file, text in TOOLS.items():
        (tools / file).write_text(text)
    return next(path for path in folder.glob("azure_cosmos-*") if path.is_dir())


async def run(sources: Path, report: Path) -> None:
    """Run the tests; their results are written to `report` as JUnit's XML."""
    async with CosmosStandIn() as standin:
        environment = os.environ | {
            "ACCOUNT_HOST": standin.url,
            "ACCOUNT_KEY": KEY,
            "PYTHONPATH": str(sources.parent),
        }
        files = [f"tests/test_{name}.py" for name in FILES]
        options = [
            "-c",
            os.devnull,
            "--rootdir=.",
            "-o",
            "asyncio_mode=auto",
            "-p",
            "no:cacheprovider",
            "-q",
            "--tb=no",
        ]
        command = [sys.executable, "-m", "pytest", *options, f"--junitxml={report}", *files]
        process = await asyncio.create_subprocess_exec(
            *command, cwd=sources, env=environment, stdout=subprocess.DEVNULL
        )
        await process.wait()


def results(report: Path) -> dict[str, str]:
    """Give for each test that was not skipped `passed` or the first line of what went wrong."""
    found: dict[str, str] = {}
    for case in ElementTree.parse(report).iter("testcase"):
        problems = [*case.iter("failure"), *case.iter("error")]
        if case.find("skipped") is None:
            name = f"{str(case.get('classname')).removeprefix('tests.')}::{case.get('name')}"
            found[_RANDOM.sub("*", name)] = str(problems[0].get("message")).splitlines()[0] if problems else "passed"
    return found


def main() -> int:
    """Print the count, and what differs from the list."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        asyncio.run(run(fetch(Path(folder)), report))
        outcome = results(report)
    lines = [line.partition(" | ") for line in LIST.read_text().splitlines() if line and line[0] != "#"]
    listed = {name for name, _, _ in lines}
    # What tests a time-out may pass on a slow machine.
    unsteady = {name for name, _, reason in lines if TOO_SOON in reason}
    failed = {name for name, result in outcome.items() if result != "passed"}
    for name in sorted(failed - listed):
        print(f"FAILED {name}: {outcome[name]}")
    for name in sorted(listed - failed - unsteady):
        print(f"passes now, or is gone: {name}")
    print(
        f"{len(outcome) - len(failed)} of {len(outcome)} of Microsoft's tests pass, {len(failed & listed)} are listed"
    )
    return int(bool((failed ^ listed) - unsteady))


if __name__ == "__main__":
    sys.exit(main())
