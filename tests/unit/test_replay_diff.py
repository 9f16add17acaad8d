"""Comparing versions: flips, their profit and risk, and the golden run as a gate."""

import json
import shutil
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from local.cli import app
from shared.events.envelope import Event
from shared.events.trade import Consensus, ConsensusReached, TradeRequested
from shared.replay.debug_case import read, write
from shared.replay.diff import flips, moved, version
from tests.builders import CLOSE, DAY, a_bar, a_trade_request, market_data
from tests.e2e.process import ROOT
from tests.replays import GOLDEN, golden

BOUGHT = a_trade_request("AAPL", "buy", 10.0, time=CLOSE + timedelta(hours=1))
SOLD = a_trade_request("AAPL", "sell", 5.0, time=CLOSE + timedelta(hours=2))
CLOSES = [(0, 100.0), (3, 90.0), (7, 110.0), (9, 500.0)]


def decided(trade: TradeRequested, decision: str, score: float = 0.5) -> ConsensusReached:
    data = Consensus(
        step="trade",
        trigger=trade.id,
        decision=decision,  # type: ignore[arg-type]
        score=score,
        dispersion=0.0,
        closed_by="quorum",
        votes=(),
        vetoes=(),
        dissent=(),
        missing=(),
        explanation="",
        decided_at=trade.time,
    )
    return ConsensusReached.caused_by(trade, source="consensus", data=data)


def played() -> list[Event]:
    return [
        BOUGHT,
        SOLD,
        *(market_data(a_bar("AAPL", close=close, closed_at=CLOSE + day * DAY)) for day, close in CLOSES),
    ]


def diff(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["replay", "diff", *map(str, arguments)])


def compared(*arguments: object) -> tuple[int, dict[str, Any]]:
    ran = diff(*arguments, "--json")
    return ran.exit_code, json.loads(ran.stdout)


def test_version_when_trades_are_approved_earns_what_they_do_in_seven_days() -> None:
    made = version(played(), [decided(BOUGHT, "approved"), decided(SOLD, "approved")], 9)
    profits = {name: each.profit for name, each in made.decisions.items()}
    assert profits == {BOUGHT.id: 100.0, SOLD.id: -50.0}
    assert (made.approved, made.profit, made.worst, made.deviation, made.events) == (2, 50.0, -50.0, 75.0, 9)


def test_version_when_nothing_is_approved_earns_nothing() -> None:
    made = version(played(), [decided(BOUGHT, "rejected"), decided(SOLD, "no_quorum")], 0)
    assert (made.approved, made.profit, made.worst, made.deviation) == (0, 0.0, 0.0, 0.0)
    assert [each.profit for each in made.decisions.values()] == [0.0, 0.0]


def test_versions_when_compared_name_what_flipped_and_what_moved() -> None:
    before = version(played(), [decided(BOUGHT, "approved", 0.5), decided(SOLD, "rejected", -0.5)], 0)
    after = version(played(), [decided(BOUGHT, "approved", 0.4)], 0)
    (flip,) = flips(before, after)
    assert (flip.trade, flip.after) == (SOLD.id, None)
    assert flips(after, before)[0].before is None
    assert moved(before, after) == {BOUGHT.id: pytest.approx(-0.1)}
    assert flips(before, before) == []


def test_golden_run_when_played_by_this_version_decides_what_is_recorded() -> None:
    code, document = compared(GOLDEN)
    assert (code, document["flipped"], document["moved"]) == (0, [], {})
    assert document["before"]["events"] == document["after"]["events"]
    decisions = {each["decision"] for each in document["before"]["decisions"].values()}
    assert decisions == {"approved", "rejected"}


def test_setting_when_it_flips_a_decision_fails_the_gate_and_tells_what_it_earns() -> None:
    ran = diff(GOLDEN, "--set", "FINAGENT_MAX_WEIGHT=0.9")
    assert ran.exit_code == 1
    assert "1 of 13 decisions flipped" in ran.stdout
    assert "buy 2000 AAPL: rejected" in ran.stdout
    (profit,) = [line.split()[-2:] for line in ran.stdout.splitlines() if line.startswith("profit")]
    assert float(profit[1]) > float(profit[0])


def test_golden_run_when_it_is_renewed_is_the_gate_from_then_on(tmp_path: Path) -> None:
    file = tmp_path / "golden.jsonl"
    came = tuple(
        event.model_copy(update={"data": event.data.model_copy(update={"decision": "no_quorum"})})
        if number == 0
        else event
        for number, event in enumerate(golden().came)
    )
    write(replace(golden(), came=came), file)
    before = file.read_bytes()
    assert compared(file)[0] == 1
    assert file.read_bytes() == before
    assert compared(file, "--renew")[0] == 1
    assert compared(file)[0] == 0
    # To the last digit only where it was recorded: another processor adds in another order.
    one, other = (version(each.played, each.came, each.made) for each in (golden(), read(file)))
    assert (flips(one, other), moved(one, other)) == ([], {})
    assert replace(read(file), came=()) == replace(golden(), came=())


def test_code_when_it_is_another_checkout_is_played_there(tmp_path: Path) -> None:
    for name in ("shared", "local", "functions", "infra"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    registry = tmp_path / "shared" / "agents" / "registry.py"
    text = registry.read_text()
    assert "    quorum=2,\n" in text
    registry.write_text(text.replace("    quorum=2,\n", "    quorum=5,\n"))
    code, document = compared(GOLDEN, "--code", tmp_path)
    assert (code, len(document["flipped"])) == (1, 12)  # the thirteenth is vetoed
    assert document["after"]["approved"] == 0


def test_case_when_nothing_is_decided_in_it_is_no_gate(tmp_path: Path) -> None:
    bars = tuple(event for event in golden().played if event.type == "market.data.received")[:3]
    write(replace(golden(), played=bars, came=()), tmp_path / "case.jsonl")
    ran = diff(tmp_path / "case.jsonl")
    assert (ran.exit_code, ran.stdout) == (2, "")
    assert "neither version decides anything in it" in ran.stderr


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["none.jsonl"], "none.jsonl: cannot be read"),
        ([GOLDEN, "--set", "data.close=1"], "data.close is no setting"),
        ([GOLDEN, "--set", "FINAGENT_DATA=x"], "no decision rests on FINAGENT_DATA"),
        ([GOLDEN, "--set", "FINAGENT_MAX_WEIGHT=2"], "FINAGENT_MAX_WEIGHT: "),
        ([GOLDEN, "--set", "FINAGENT_MAX_WEIGHT"], "is not PATH=VALUE"),
        ([GOLDEN, "--set", "FINAGENT_PROMOTED=nobody"], "no candidate is named nobody"),
        ([GOLDEN, "--code", "/"], "--code: / is no checkout"),
        ([GOLDEN, "--renew", "--set", "FINAGENT_MAX_WEIGHT=0.9"], "--renew: "),
    ],
)
def test_diff_when_asked_wrongly_says_why_and_writes_nothing(arguments: list[Any], complaint: str) -> None:
    before = GOLDEN.read_bytes()
    ran = diff(*arguments)
    assert (ran.exit_code, ran.stdout) == (2, "")
    assert ran.stderr.startswith("finagent: ")
    assert complaint in ran.stderr
    assert GOLDEN.read_bytes() == before
