"""The parameters to expand with: a trial that leaves all to the defaults, and the real thing with everything on."""

import json
import re
from pathlib import Path
from typing import cast

from tools.infra.value import Value

CASES: dict[str, dict[str, str]] = {
    "dev": {"AZURE_ENV_NAME": "trial", "AZURE_LOCATION": "westeurope"},
    "prod": {
        "AZURE_ENV_NAME": "an-environment-of-thirty-2-signs",
        "AZURE_LOCATION": "germanywestcentral",
        "FINAGENT_PROFILE": "prod",
        "ALPACA_API_KEY": "key",
        "ALPACA_SECRET_KEY": "secret",
        "FINAGENT_AUTH_CLIENT_ID": "00000000-0000-0000-0000-000000000003",
        "FINAGENT_ALLOWED_ORIGINS": "https://desk.example,https://other.example",
        "FINAGENT_ALERT_EMAIL": "operator@desk.example",
        "FINAGENT_BUDGET_START": "2026-11-01",
        "FINAGENT_OPENAI": "true",
    },
}
"""The environment of azd in each case; together they take every branch."""

_VARIABLE = re.compile(r"\$\{(\w+)(?:=([^}]*))?\}")
_WORDS: dict[str, Value] = {"true": True, "false": False}


def parameters(file: Path, environment: dict[str, str]) -> dict[str, Value]:
    """Give the parameters that azd would deploy with: its variables put in, and words that are booleans as such."""
    given = json.loads(file.read_text())["parameters"]
    filled = {name: _filled(each["value"], environment) for name, each in given.items()}
    return {name: _WORDS.get(cast(str, value), value) for name, value in filled.items()}


def _filled(value: str, environment: dict[str, str]) -> Value:
    return _VARIABLE.sub(lambda found: environment.get(found[1], found[2] or ""), value)
