"""The check of `infra/`: it finds nothing there, and each mistake that is put in."""

import shutil
from pathlib import Path

import pytest

from tests.infra.policy_seeds import POLICIES
from tests.infra.seed import Seed
from tests.infra.symbol_seeds import SYMBOLS
from tests.infra.type_seeds import TYPES
from tools.infra.check import check

ROOT = Path(__file__).parents[2]


@pytest.fixture
def infra(tmp_path: Path) -> Path:
    """Give a copy of what the check reads."""
    for name in ("azure.yaml", ".python-version"):
        shutil.copy(ROOT / name, tmp_path / name)
    return Path(shutil.copytree(ROOT / "infra", tmp_path / "infra"))


def sow(infra: Path, seed: Seed) -> None:
    """Put a mistake into a copy."""
    text = (infra / seed.file).read_text()
    assert text.count(seed.old) == 1, f"{seed.file} has {text.count(seed.old)} times {seed.old!r}: renew the seed"
    (infra / seed.file).write_text(text.replace(seed.old, seed.new))


def test_check_when_nothing_is_wrong_finds_nothing_and_has_looked_at_every_type(infra: Path) -> None:
    report = check(infra)
    assert [str(finding) for finding in report.findings] == []
    assert sum(report.checked.values()) > 100
    assert len(report.checked) > 25


@pytest.mark.parametrize(
    "seed", [*TYPES, *SYMBOLS, *POLICIES], ids=lambda seed: f"{Path(seed.file).stem}-{seed.found[:40]}"
)
def test_check_when_a_mistake_is_made_finds_it(infra: Path, seed: Seed) -> None:
    sow(infra, seed)
    found = [str(finding) for finding in check(infra).findings]
    assert [text for text in found if seed.found in text], found
