"""Audits the file of a desk that is stopped: every event once, every reader once, every cause there."""

import json
from collections import Counter, defaultdict
from pathlib import Path

from shared.agents.registry import TRADE
from shared.bus.topology import topology
from shared.events.catalogue import EVENTS
from shared.grading import NAME as GRADING
from shared.sweep import NAME as SWEEP
from tests.e2e.process import read_log

STORY = Counter(
    {("trade.requested", "api"): 1, ("trade.deadline.reached", "consensus"): 1, ("consensus.reached", "consensus"): 1}
    | {("opinion.formed", judge): 1 for judge in TRADE.judges}
)
"""What a trade's stream holds in the end, by type and source; its grades come where the desk ran for days."""

type Reading = tuple[str, str]


def audit(file: Path, trades: set[str]) -> None:
    """Check that each of the trades came to its end exactly once, and that nothing was lost on the way.

    Parameters
    ----------
    trades : set of str
        All that were accepted; their deadlines have come.
    """
    assert read_log(file, "PRAGMA integrity_check") == [("ok",)]
    found = stories(file)
    assert found.keys() == {f"trade-{trade}" for trade in trades}
    odd = {stream: (dict(story - STORY), dict(STORY - story)) for stream, story in found.items() if story != STORY}
    assert odd == {}, f"what {len(odd)} streams hold too much and too little: {odd}"
    _check_causes(file)
    _check_readings(file)
    _check_outputs(file)
    _check_votes(file)
    _check_grades(file)
    assert read_log(file, "SELECT json_extract(body, '$.data') FROM events WHERE type = 'step.failed'") == []
    assert read_log(file, "SELECT * FROM deliveries WHERE dead_reason IS NOT NULL") == []


def stories(file: Path) -> dict[str, Counter[tuple[str, str]]]:
    """Give what happened in each trade's stream."""
    found: defaultdict[str, Counter[tuple[str, str]]] = defaultdict(Counter)
    for stream, kind, source in read_log(
        file,
        "SELECT stream, type, json_extract(body, '$.source') FROM events"
        " WHERE stream LIKE 'trade-%' AND type != 'opinion.graded'",
    ):
        found[stream][kind, source] += 1
    return dict(found)


def handed_out(file: Path) -> list[tuple[str, int]]:
    """Give the messages that somebody was given and that come again, with how often that was."""
    sql = "SELECT message_id || ' in ' || subscription, delivery_count FROM deliveries JOIN messages USING (sequence)"
    return [(name, count) for name, count in read_log(file, sql) if count]


def _check_causes(file: Path) -> None:
    orphans = read_log(
        file,
        "SELECT id, type FROM events WHERE correlation NOT IN (SELECT id FROM events)"
        " OR json_extract(body, '$.causationid') NOT IN (SELECT id FROM events)",
    )
    assert orphans == []


def _check_readings(file: Path) -> None:
    """Each agent has taken in each event that it wants, or its message still waits; and nothing else."""
    happened = read_log(file, "SELECT id, type FROM events")
    wanted = {(event, agent) for event, kind in happened for agent in _wanting(kind)}
    read = set[Reading](
        read_log(file, "SELECT event_id, agent FROM receipts WHERE agent NOT IN (?, ?)", [SWEEP, GRADING])
    )
    assert read - wanted == set()
    assert wanted - read - _waiting(file) == set()


def _wanting(kind: str) -> set[str]:
    names = topology().without("narrator").wanting(EVENTS[kind].topic, kind)  # it is deaf without a language model
    return {_agent(name) for name in names} - {"projector"}


def _waiting(file: Path) -> set[Reading]:
    rows = read_log(file, "SELECT message_id, subscription FROM deliveries JOIN messages USING (sequence)")
    return {(message_id.partition(":")[0].partition("~")[0], _agent(subscription)) for message_id, subscription in rows}


def _agent(subscription: str) -> str:
    return subscription.partition("/")[2].replace("-", "_")


def _check_outputs(file: Path) -> None:
    """What a receipt says was emitted at once is in the log."""
    logged = {event for (event,) in read_log(file, "SELECT id FROM events")}
    for event, outputs in read_log(file, "SELECT event_id, outputs FROM receipts"):
        emitted = {output["event"]["id"] for output in json.loads(outputs) if output["deliver_at"] is None}
        assert emitted <= logged, f"the outputs of {event} are not in the log"


def _check_votes(file: Path) -> None:
    """A consensus counts votes that were given, at most one of each agent, and names the agents whose are missing."""
    opinions = dict(read_log(file, "SELECT id, json_extract(body, '$.data.agent') FROM events WHERE type = ?", [_VOTE]))
    for (text,) in read_log(file, "SELECT json_extract(body, '$.data') FROM events WHERE type = 'consensus.reached'"):
        consensus = json.loads(text)
        voters = [opinions[vote["opinion"]] for vote in consensus["votes"]]
        assert voters == [vote["agent"] for vote in consensus["votes"]]
        assert sorted([*voters, *consensus["missing"]]) == sorted(TRADE.judges)


def _check_grades(file: Path) -> None:
    """Each opinion is graded once at each horizon at most, and next to itself."""
    grades = read_log(
        file,
        "SELECT g.stream = o.stream, count(*) FROM events g LEFT JOIN events o"
        " ON o.id = json_extract(g.body, '$.data.opinion') AND o.type = 'opinion.formed'"
        " WHERE g.type = 'opinion.graded'"
        " GROUP BY json_extract(g.body, '$.data.opinion'), json_extract(g.body, '$.data.horizon_days')",
    )
    assert set(grades) <= {(1, 1)}


_VOTE = "opinion.formed"
