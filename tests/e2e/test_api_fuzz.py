"""What no test thought of: requests made from the OpenAPI document, right and wrong ones."""

import re
from pathlib import Path

from tests.e2e.fuzz import fuzz
from tests.e2e.guarded import Guarded
from tests.e2e.process import DeskProcess

EXAMPLES, GUARDED_EXAMPLES = 10, 4
FEWEST_REQUESTS = 500


def test_api_when_anything_is_sent_keeps_to_its_document(desk: DeskProcess, tmp_path: Path) -> None:
    code, said = fuzz(desk, EXAMPLES, tmp_path)
    assert code == 0, said
    sent = re.search(r"(\d+) generated", said)
    assert sent is not None, said
    assert int(sent[1]) >= FEWEST_REQUESTS
    with desk.client() as client:
        assert client.get("/api/health").json()["status"] == "ready"


def test_api_when_it_asks_for_keys_keeps_to_its_document(guarded: Guarded, tmp_path: Path) -> None:
    code, said = fuzz(guarded.desk, GUARDED_EXAMPLES, tmp_path, client=guarded.client("desk"))
    assert code == 0, said
