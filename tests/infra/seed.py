"""Mistakes that people make in Bicep: what to write instead of what, and what the check must say."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Seed:
    """A mistake: `old`, which is once in `file`, becomes `new`, and a finding has `found` in it."""

    file: str
    old: str
    new: str
    found: str


APP, BUS, TOPIC, STORE = (f"modules/{name}.bicep" for name in ("app", "bus", "topic", "store"))
STORAGE, VAULT, ALERT, WATCH = (f"modules/{name}.bicep" for name in ("storage", "vault", "alert", "monitoring"))
MODEL, MAIN = "modules/model.bicep", "main.bicep"
