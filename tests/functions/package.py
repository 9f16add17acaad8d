"""What a deployment leaves at home as Core Tools see it, and the distributions that requirements.txt names."""

import re
from collections.abc import Iterable
from importlib.metadata import Distribution, distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tools.package import ROOT


def core_tools_keep(path: str) -> bool:
    """Say whether Azure Functions Core Tools leave a file out; they read each pattern as a prefix, from the root."""
    lines = (ROOT / ".funcignore").read_text().splitlines()
    patterns = [line.strip().removeprefix("/") for line in lines if line.strip() and not line.startswith("#")]
    written = [re.escape(each).replace(r"\*\*", "(.+)").replace(r"\*", "([^/]+)") for each in patterns]
    return re.match(f"({'|'.join(written)})", path) is not None


def requirements(file: str) -> list[Requirement]:
    """Give the requirements that a file of the working copy states itself."""
    lines = (line.partition(" #")[0].strip() for line in (ROOT / file).read_text().splitlines())
    return [Requirement(line) for line in lines if line and not line.startswith(("#", "-r"))]


def installed(wanted: Iterable[Requirement]) -> dict[str, Distribution]:
    """Give the distributions that pip installs for some requirements, and no others, from this environment."""
    found: dict[str, Distribution] = {}
    seen: set[tuple[str, str]] = set()
    waiting = [(requirement, "") for requirement in wanted]
    while waiting:
        requirement, extra = waiting.pop()
        if requirement.marker is not None and not requirement.marker.evaluate({"extra": extra}):
            continue
        name = canonicalize_name(requirement.name)
        found[name] = distribution(name)
        for asked in {"", *requirement.extras} - {known for other, known in seen if other == name}:
            seen.add((name, asked))
            waiting += [(Requirement(line), asked) for line in found[name].requires or ()]
    return found


def tops(distributions: Iterable[Distribution]) -> dict[str, Path]:
    """Give where the packages and modules of some distributions lie, by their path below site-packages.

    A folder that several distributions share, such as `azure`, is no package itself and is given in its parts.
    """
    found: dict[str, Path] = {}
    for each in distributions:
        for file in each.files or ():
            if not {"..", "__pycache__"} & set(file.parts):
                found.update(_top(Path(str(each.locate_file(""))), file.parts))
    return found


def _top(base: Path, parts: tuple[str, ...]) -> dict[str, Path]:
    for depth in range(1, len(parts) + 1):
        path = base.joinpath(*parts[:depth])
        if path.is_file() or (path / "__init__.py").exists() or parts[0].endswith((".dist-info", ".libs")):
            return {"/".join(parts[:depth]): path}
    return {}


def link(paths: dict[str, Path], folder: Path) -> Path:
    """Make a folder of links to some paths, by their name below it, and give it."""
    for name, path in paths.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).symlink_to(path)
    return folder
