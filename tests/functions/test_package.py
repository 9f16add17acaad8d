"""The deployment package: it is enough, it is no more than that, and nothing in it hides anything else."""

import ast
import json
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from importlib.metadata import distribution, packages_distributions
from importlib.util import cache_from_source
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.functions.package import core_tools_keep, installed, link, requirements, tops
from tests.functions.worker import Indexed
from tools.package import ROOT, kept_at_home, shipped, write

RUNTIME = "azure-functions-runtime"
OWN_NAMES = {"function_app", "functions", "shared"}
PLATFORM = {"azure_functions_runtime", "azure_functions_worker", "proxy_worker", "google", "grpc"}
"""What Azure's worker puts on `sys.path` beside the app."""

RECORDING = ("shared/market/recorded.py", "bokeh_sampledata")
"""The embedded desk's feed: its data is not deployed, and a desk with Alpaca's keys never imports it."""

COLLECTOR = ("shared/telemetry/exporter.py", "opentelemetry")
"""The way to a collector: its protobuf is not deployed, and Application Insights needs none."""

MEANING = (("shared/memory/minilm.py", "onnxruntime"), ("shared/memory/minilm.py", "tokenizers"))
"""An embedder of the extra `minilm`: a desk imports it when its settings name it, and says what is missing."""

LOCAL = (
    ".azure/desk/.env",
    ".env",
    ".finagent/recorded.sqlite",
    ".git/config",
    ".github/workflows/ci.yml",
    ".hypothesis/unicode_data/x",
    ".package/finagent.zip",
    ".venv/lib/python3.13/site-packages/numpy/__init__.py",
    "docs/operations.md",
    "finagent.egg-info/PKG-INFO",
    "functions/api/__pycache__/application.cpython-313.pyc",
    "infra/alerts.json",
    "infra/main.bicep",
    "infra/main.parameters.json",
    "infra/modules/functions.bicep",
    "infra/profiles/dev.json",
    "infra/roles.json",
    "local.settings.json",
    "local/cli.py",
    "node_modules/vega/index.js",
    "requirements-dev.txt",
    "shared/__pycache__/wiring.cpython-313.pyc",
    "tests/functions/worker.py",
    "tools/train_sentiment.py",
    "web/node_modules/vega/index.js",
)

INDEX = """
import asyncio, json, sys
from pathlib import Path
sys.path[:0] = sys.argv[2:]
from tests.functions import worker
from tests.functions.host_message import http
async def run():
    found = {function.name: function for function in await worker.index(Path(sys.argv[1]))}
    answer = await worker.invoke(found["api"], *http("GET", "https://desk.example/api/topology"))
    unwanted = {"local", "bokeh_sampledata", "pytest"} & sys.modules.keys()
    return [sorted(found), sorted(unwanted), answer.problem or answer.returned.http.status_code]
print(json.dumps(asyncio.run(run())))
"""
IMPORT = """
import importlib, sys
sys.path[:0] = sys.argv[2:]
for path in sys.stdin.read().split():
    importlib.import_module(path.removesuffix(".py").removesuffix("/__init__").replace("/", "."))
print(sorted({"local", "tests", "azure_functions_runtime"} & sys.modules.keys()))
"""


@pytest.fixture(scope="module")
def files() -> list[str]:
    """Give the files that are deployed."""
    return shipped()


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give what `make package` writes."""
    path = tmp_path_factory.mktemp("package") / "finagent.zip"
    write(path)
    return path


@pytest.fixture(scope="module")
def app(package: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a folder with what is deployed and nothing else."""
    folder = tmp_path_factory.mktemp("app")
    with zipfile.ZipFile(package) as archive:
        archive.extractall(folder)
    return folder


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a folder with what pip installs for requirements.txt and nothing else, as links."""
    return link(tops(installed(requirements("requirements.txt")).values()), tmp_path_factory.mktemp("site"))


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a folder with Microsoft's worker and with what tests send it."""
    senders = [f"tests/functions/{name}.py" for name in ("worker", "protos", "host_message")]
    paths = tops([distribution(RUNTIME)]) | {name: ROOT / name for name in senders}
    return link(paths, tmp_path_factory.mktemp("platform"))


def run(code: str, app: Path, *paths: Path, given: str = "") -> str:
    """Run code in a Python that sees its standard library and some folders, on a deployed desk's settings."""
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-B", "-c", code, str(app), str(app), *map(str, paths)],
        input=given,
        env={"FINAGENT_DATA": str(app / "data"), "ALPACA_API_KEY": "key", "ALPACA_SECRET_KEY": "secret"},
        cwd=app,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()[-1]


def test_package_when_it_is_deployed_is_indexed_and_answers(
    functions: dict[str, Indexed], app: Path, site: Path, platform: Path
) -> None:
    names, unwanted, status = json.loads(run(INDEX, app, site, platform))
    assert names == sorted(functions)
    assert unwanted == []
    assert status == "200"


def test_package_when_it_is_written_holds_what_is_deployed_and_its_modules_compiled(
    package: Path, files: list[str]
) -> None:
    with zipfile.ZipFile(package) as archive:
        names = archive.namelist()
    assert names == sorted({*files, *(cache_from_source(name) for name in files if name.endswith(".py"))})


def test_package_when_it_is_written_again_is_the_same_to_the_byte(package: Path, tmp_path: Path) -> None:
    code = "import sys; from pathlib import Path; from tools.package import write; write(Path(sys.argv[1]))"
    again = tmp_path / "again.zip"
    environment = {"PYTHONHASHSEED": "7", "TZ": "Asia/Tokyo"}
    subprocess.run([sys.executable, "-c", code, str(again)], cwd=ROOT, env=environment, check=True)
    assert again.read_bytes() == package.read_bytes()


def test_package_when_it_is_unpacked_with_other_dates_is_not_compiled_anew(
    package: Path, site: Path, tmp_path: Path
) -> None:
    with zipfile.ZipFile(package) as archive:
        archive.extractall(tmp_path)
    for source in (tmp_path / "shared").rglob("*.py"):
        source.write_text("raise RuntimeError('compiled from the source')")
    assert run("import sys; sys.path[:0] = sys.argv[2:]; import shared.runtime; print('ran')", tmp_path, site) == "ran"


def test_package_when_each_module_is_imported_needs_only_its_requirements(
    app: Path, site: Path, files: list[str]
) -> None:
    modules = "\n".join(name for name in files if name.endswith(".py"))
    assert run(IMPORT, app, site, given=modules) == "[]"


def test_package_when_a_function_imports_late_still_has_it(files: list[str]) -> None:
    deployed = set(files)
    known = {
        name.removesuffix(".py").replace("/", ".")
        for name in tops(installed(requirements("requirements.txt")).values())
    }
    missing = {
        (file, module)
        for file in files
        if file.endswith(".py")
        for module in _imports(ROOT / file)
        if module.partition(".")[0] not in sys.stdlib_module_names
        and not any(f"{module}.".startswith(f"{name}.") for name in known)
        and not {f"{module.replace('.', '/')}{end}" for end in (".py", "/__init__.py")} & deployed
    }
    assert {(file, module.partition(".")[0]) for file, module in missing} == {RECORDING, COLLECTOR, *MEANING}


def _imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.module is not None
            assert node.level == 0
            yield node.module


def test_package_when_the_working_copy_is_in_use_holds_the_app_alone(files: list[str]) -> None:
    assert {name for name in files if not name.startswith(("functions/", "shared/"))} == {
        "function_app.py",
        "host.json",
        "infra/containers.json",
        "infra/topology.json",
        "requirements.txt",
    }


@pytest.mark.parametrize("folder", ["functions", "shared"])
def test_package_when_code_rests_on_data_holds_that_too(files: list[str], folder: str) -> None:
    present = {path.relative_to(ROOT).as_posix() for path in (ROOT / folder).rglob("*") if path.is_file()}
    assert {name for name in present if not name.endswith(".pyc")} == {
        name for name in files if name.startswith(f"{folder}/")
    }


@pytest.mark.parametrize("path", LOCAL)
def test_funcignore_when_something_is_local_keeps_it_at_home(path: str) -> None:
    assert kept_at_home().match_file(path)
    assert core_tools_keep(path)


def test_funcignore_when_core_tools_read_it_leaves_the_same(files: list[str]) -> None:
    assert [name for name in files if core_tools_keep(name)] == []


def test_requirements_when_they_are_for_development_stay_at_home() -> None:
    deployed = installed(requirements("requirements.txt"))
    developed = {canonicalize_name(each.name) for each in requirements("requirements-dev.txt")}
    assert developed & deployed.keys() == set()
    assert RUNTIME in developed, "deployed, it would hide the platform's own"


def test_names_when_distributions_and_the_platform_have_theirs_hide_none(files: list[str]) -> None:
    distributions = installed([*requirements("requirements.txt"), Requirement(RUNTIME)]).values()
    theirs = {name.partition("/")[0].removesuffix(".py") for name in tops(distributions)}
    ours = {name.partition("/")[0].removesuffix(".py") for name in files if name.endswith(".py")}
    assert ours == OWN_NAMES
    assert ours & (theirs | PLATFORM | sys.stdlib_module_names) == set()


@pytest.mark.parametrize("name", ["function_app", "functions", "shared", "local", "tests", "tools", "web"])
def test_name_when_development_installs_more_is_still_ours(name: str) -> None:
    assert set(packages_distributions().get(name, ())) <= {"finagent"}
