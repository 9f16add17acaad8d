"""Writes `docs/event-catalogue.md` from the event models: `python -m tools.write_event_catalogue`."""

import inspect
from pathlib import Path
from typing import Any

from shared.agents.registry import STATES, handlers
from shared.bus.topology import topology
from shared.events.catalogue import EVENTS
from shared.events.envelope import Event

FILE = Path(__file__).parents[1] / "docs" / "event-catalogue.md"

_HEAD = """# Event catalogue

Written by `python -m tools.write_event_catalogue` from `shared/events/`. Every event is a CloudEvent 1.0 in structured
JSON: `id`, `source`, `type`, `time` (desk time, UTC), `stream` (the unit of ordering), `correlationid` (the event that
began the story), `causationid` (the one that led to this), `run` (empty on the live desk), `dataschemaversion`, `data`.
`GET /api/schemas/{type}` gives a type's JSON schema. Unknown fields are refused; within a schema version changes only
add.
"""


def catalogue() -> str:
    """Give the document."""
    return "\n".join([_HEAD, *(_section(EVENTS[name]) for name in sorted(EVENTS))])


def _section(kind: type[Event]) -> str:
    data = kind.model_fields["data"].annotation
    assert data is not None
    _, _, meaning = (inspect.getdoc(kind) or "").partition(": ")
    takers = [agent for agent in STATES if kind in handlers(agent)]
    takers += ["projector"] * any("projector" in name for name in topology().wanting(kind.topic, kind.name()))
    schema = data.model_json_schema()
    rows = [
        f"| `{name}` | {_shape(part)} | {'' if name in schema['required'] else 'yes'} |"
        for name, part in schema["properties"].items()
    ]
    return "\n".join(
        [
            f"## `{kind.name()}`",
            "",
            meaning[:1].upper() + meaning[1:],
            "",
            f"Topic `{kind.topic}`; taken by {', '.join(takers) or 'nobody: stored, not sent'}.",
            "",
            "| `data` field | Shape | May be left out |",
            "|---|---|---|",
            *rows,
            "",
        ]
    )


def _shape(part: dict[str, Any]) -> str:
    if "$ref" in part:
        return f"`{part['$ref'].rpartition('/')[2]}`"
    if "anyOf" in part:
        return " or ".join(_shape(option) for option in part["anyOf"] if option.get("type") != "null")
    if "enum" in part:
        return ", ".join(f"`{value}`" for value in part["enum"])
    if part["type"] == "array":
        return f"array of {_shape(part['items'])}"
    if part["type"] == "object":
        named = list(part.get("patternProperties", {}).values())
        return f"object of {_shape((named or [part['additionalProperties']])[0])}"
    return str(part.get("format", part["type"])) + _range(part)


def _range(part: dict[str, Any]) -> str:
    bounds = {"minimum": "from", "exclusiveMinimum": "above", "maximum": "to"}
    return "".join(f" {word} {part[key]:g}" for key, word in bounds.items() if key in part)


if __name__ == "__main__":
    FILE.write_text(catalogue(), encoding="utf-8")
