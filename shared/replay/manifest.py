"""The manifest of a run: by which code, configuration and data it came about, and whether the data were restated."""

import json
import sys
from functools import cache
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path

from shared.errors import InvalidError
from shared.events.envelope import Fact
from shared.events.replay import Backtest
from shared.replay.whole_file import write_whole

_PROGRAM = Path(__file__).parents[1]


class Manifest(Fact):
    """What a run rests on.

    Attributes
    ----------
    code, configuration, data : str
        SHA-256 of the program's files, of the configuration, and of what was played.
    source : str
        Where the data came from.
    versions : dict of str to str
        Of Python and of what computes; no part of any hash.
    """

    code: str
    configuration: str
    data: str
    source: str
    backtest: Backtest
    versions: dict[str, str]


def manifest(backtest: Backtest, source: str, data_hash: str) -> Manifest:
    """Give the manifest of a run that was played."""
    return Manifest(
        code=code_hash(),
        configuration=configuration_hash(backtest),
        data=data_hash,
        source=source,
        backtest=backtest,
        versions={"python": sys.version.split()[0]} | {name: version(name) for name in ("numpy", "clarabel")},
    )


def configuration_hash(backtest: Backtest) -> str:
    """Give the hash of a configuration."""
    return sha256(backtest.model_dump_json().encode()).hexdigest()


@cache
def code_hash() -> str:
    """Give the hash of the program: of each file in `shared`, by its path there."""
    digest = sha256()
    for path in sorted(_PROGRAM.rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts:
            digest.update(f"{path.relative_to(_PROGRAM).as_posix()}\0".encode() + sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def check_vintage(file: Path, made: Manifest) -> str | None:
    """Note the data of a run in `file`, and say when an earlier run of the same range had others.

    Raises
    ------
    InvalidError
        The file is not what this wrote, or cannot be written.
    """
    asked = made.backtest
    key = f"{made.source} {','.join(asked.symbols)} {asked.interval} {asked.first_day} {asked.last_day}"
    key += f" {asked.lookback_days} {asked.cash:g} {'news' if asked.news else ''}"
    known = _vintages(file)
    before = known.get(key)
    if before == made.data:
        return None
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InvalidError(f"{file}: cannot be written: {error}") from error
    write_whole(file, json.dumps(known | {key: made.data}, indent=1, sort_keys=True).encode())
    if before is None:
        return None
    return f"The data of this range are not those of an earlier run ({before[:12]}): their vendor restated them."


def _vintages(file: Path) -> dict[str, str]:
    try:
        found = json.loads(file.read_text("utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise InvalidError(f"{file}: cannot be read: {error}") from error
    if not isinstance(found, dict):
        raise InvalidError(f"{file}: not a list of vintages")
    return found
