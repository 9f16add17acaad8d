"""Forgetting an owner's replays: their folders go, everybody else's stay."""

import os
from datetime import date
from pathlib import Path

from shared.events.replay import Backtest, ReplayRequested
from shared.replay.forget import ReplayHolder
from shared.replay.shelf import Shelf
from shared.store.in_memory import InMemoryEventStore
from tests.builders import CLOSE

ASKED = Backtest(first_day=date(2008, 1, 2), last_day=date(2008, 1, 31))


async def test_owner_when_forgotten_leaves_no_result_and_others_keep_theirs(tmp_path: Path) -> None:
    store, owners = InMemoryEventStore(), ("alice", "alice", "bob", None)
    for number, owner in enumerate(owners):
        name = f"r-{number}"
        asked = ReplayRequested.first(
            id=name, source="api", stream=f"replay-{name}", time=CLOSE, data=ASKED, owner=owner
        )
        await store.append([asked])
        (tmp_path / name).mkdir()
        (tmp_path / name / "report.json").write_text("{}")
    (tmp_path / "r-1" / "report.json").unlink()
    (tmp_path / "r-1").rmdir()  # it never ended
    holder = ReplayHolder(Shelf(tmp_path), store)
    assert await holder.forget("alice", is_trial=True) == {"results of replays": 1}
    assert (tmp_path / "r-0").is_dir()
    assert await holder.forget("alice", is_trial=False) == {"results of replays": 1}
    assert sorted(os.listdir(tmp_path)) == ["r-2", "r-3"]
    assert await holder.forget("alice", is_trial=False) == {"results of replays": 0}
