"""The whole check of an `infra` folder: types and symbols of every case, then the policies."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tools.infra import body, symbol
from tools.infra.case import CASES, parameters
from tools.infra.deployment import Expansion, expand
from tools.infra.finding import Finding
from tools.infra.policy import POLICIES
from tools.infra.schema import schema


@dataclass(frozen=True, slots=True)
class Report:
    """What was found, and how many resources of each type were looked at in how many cases."""

    findings: list[Finding]
    checked: Counter[str]


def check(root: Path) -> Report:
    """Check the deployment in a folder."""
    expansions = {
        name: expand(root / "main.bicep", parameters(root / "main.parameters.json", environment), schema())
        for name, environment in CASES.items()
    }
    findings = {finding for each in expansions.values() for finding in _of_types(each)}
    findings |= set(_of_symbols(root, list(expansions.values())))
    if not findings:  # a policy looks at what was expanded, and may take that it is whole
        findings = {
            Finding(found.place, f"{found.text} ({name})")
            for name, each in expansions.items()
            for policy in POLICIES
            for found in policy(each)
        }
    checked = Counter(resource.type.name for each in expansions.values() for resource in each.resources)
    return Report(sorted(findings), checked)


def _of_types(expansion: Expansion) -> Iterator[Finding]:
    yield from expansion.findings
    for resource in expansion.resources:
        file = resource.place.partition(":")[0]
        for problem in body.problems(expansion.schema, resource.type, resource.body, file):
            yield Finding(resource.place, f"{resource.type.name}: {problem}")
    for id_, times in Counter(resource.id for resource in expansion.resources).items():
        if times > 1:
            yield Finding("main.bicep", f"{times} resources have the id {id_}")


def _of_symbols(root: Path, expansions: list[Expansion]) -> Iterator[Finding]:
    sources = {path: source for each in expansions for path, source in each.sources.items()}
    taken = {branch for each in expansions for branch in each.taken}
    whole = not any(each.findings for each in expansions)  # else what failed would be said to be taken by nobody
    for source in sources.values():
        yield from symbol.unused(source)
        if whole:
            yield from symbol.never_taken(source, taken)
    if whole:
        yield from symbol.orphans(root, sources)
