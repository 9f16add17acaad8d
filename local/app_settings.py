"""App settings as the Functions host knows them: the environment, `local.settings.json`, then the embedded defaults."""

import json
import os
import re
from pathlib import Path

from shared.errors import InvalidError

_REFERENCE = re.compile(r"%([^%]+)%")


def load(root: Path) -> dict[str, str]:
    """Give the values of `local.settings.json` under what the environment says, and put them into the environment.

    Raises
    ------
    InvalidError
        The file is not what the Functions tools expect.
    """
    path = root / "local.settings.json"
    for name, value in _values(path).items():
        os.environ.setdefault(name, value)
    if not os.environ.get("FINAGENT_TICK"):  # an empty value counts as not given, as it does in Settings
        os.environ["FINAGENT_TICK"] = "*/15 * * * * *" if os.environ.get("ALPACA_API_KEY") else "* * * * * *"
    return dict(os.environ)


def _values(path: Path) -> dict[str, str]:
    try:
        values = {name: str(value) for name, value in json.loads(path.read_text("utf-8"))["Values"].items()}
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise InvalidError(f"{path.name}: cannot be read: {error.strerror}") from error
    except (ValueError, AttributeError, TypeError, KeyError) as error:
        raise InvalidError(f"{path.name}: not a JSON object with Values: {error}") from error
    unfit = sorted(name for name, value in values.items() if not _fits_environment(name, value))
    if unfit:
        raise InvalidError(f"{path.name}: cannot be environment variables: {', '.join(map(repr, unfit))}")
    return values


def _fits_environment(name: str, value: str) -> bool:
    # Lone surrogates, which JSON can spell, have no bytes.
    return name != "" and "=" not in name and not re.search("[\0\ud800-\udfff]", name + value)


def resolve(text: str, values: dict[str, str]) -> str:
    """Replace each `%NAME%` by the app setting of that name, as the Functions host does in bindings.

    Raises
    ------
    InvalidError
        There is no such setting.
    """

    def value_of(match: re.Match[str]) -> str:
        if match[1] not in values:
            raise InvalidError(f"{text}: there is no app setting {match[1]}")
        return values[match[1]]

    return _REFERENCE.sub(value_of, text)
