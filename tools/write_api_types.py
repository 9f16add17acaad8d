"""`make web`: writes what the frontend's TypeScript types are generated from, so that they are those of this program.

One OpenAPI document with the API's own schemas and those of every event, beside each other. It is not committed: it
cannot be older than what it was read from.
"""

import json
import os
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from pydantic.json_schema import models_json_schema

from functions.api.application import application
from shared.events.catalogue import EVENTS

DOCUMENT = Path(__file__).parents[1] / "web" / "generated" / "openapi.json"


def document() -> dict[str, Any]:
    """Give the API's document, completed by the events' schemas."""
    api = application().openapi()
    _, events = models_json_schema(
        [(kind, "serialization") for kind in EVENTS.values()], ref_template="#/components/schemas/{model}"
    )
    for name, schema in events["$defs"].items():
        api["components"]["schemas"].setdefault(name, schema)
    return api


def main() -> None:
    """Write the document where it has changed, so that nothing is built anew without need."""
    with TemporaryDirectory() as folder:
        os.environ["FINAGENT_DATA"] = folder  # the document tells how callers are known, so it asks a desk
        content = json.dumps(document(), indent=1, sort_keys=True) + "\n"
    DOCUMENT.parent.mkdir(exist_ok=True)
    if not DOCUMENT.exists() or DOCUMENT.read_text() != content:
        DOCUMENT.write_text(content)


if __name__ == "__main__":
    main()
