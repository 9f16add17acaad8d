"""Debugging a decision: its steps come back as they were, and so does what was under way when it was made."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from shared.agents.registry import TRADE
from shared.agents.step import CONSENSUS
from shared.callers import caller
from shared.callers.caller import LOCAL, Caller
from shared.errors import InvalidError, MissingError
from shared.events.catalogue import decode
from shared.events.envelope import Event
from shared.ledger.in_memory import InMemoryLedger
from shared.ledger.port import Batch, Entry, Usage
from shared.llm.port import Completion, Request
from shared.rehearsal import replayed
from shared.replay.debug import as_replayed, differences, reproduced, steps, story, used_by
from shared.replay.debug_case import Case, play, read, write
from shared.replay.world import World
from shared.runtime import Role
from shared.settings import Settings
from shared.store.in_memory import InMemoryEventStore
from shared.store.port import Filter
from tests.builders import HOUR, a_deadline, a_trade_request, altered, an_options_request
from tests.contract.model_bench import a_model_of
from tests.replays import an_event, golden, log_of, short
from tests.standins.openai.model import explains

SETTINGS = Settings.from_env({**golden().settings, "FINAGENT_SPEED": "1"})
TRADE_ID = an_event(short(), "trade.requested", -1).id
ALICE = Caller("alice", "alice", frozenset({caller.Role.READER}))


async def the_story(store: InMemoryEventStore, caller: Caller = LOCAL) -> Case:
    return await reproduced(await story(store, SETTINGS, TRADE_ID, caller), TRADE_ID, replayed, caller)


async def test_decision_when_debugged_is_the_tree_of_who_did_what() -> None:
    case = await the_story(await log_of(short()))
    run, found = await steps(case, TRADE_ID, replayed)
    assert differences(case, run, TRADE_ID) == []
    asked = [step for step in found if step.depth == 0]
    assert sorted(step.handled.agent for step in asked) == sorted([*TRADE.judges, CONSENSUS])
    assert {step.handled.event.id for step in asked} == {TRADE_ID}
    counted = [step for step in found if step.handled.event.type == "opinion.formed"]
    assert {(step.depth, step.handled.agent) for step in counted} == {(1, CONSENSUS)}
    (reached,) = [emit.event for step in found for emit in step.handled.emits if emit.event.type == "consensus.reached"]
    assert reached.data.decision in ("approved", "rejected")


async def test_story_when_more_happened_later_ends_with_its_own_last_event() -> None:
    first = an_event(short(), "trade.requested")
    (case, *_) = await story(await log_of(short()), SETTINGS, first.id, LOCAL)
    ends = max(event.time for event in case.came)
    assert first in case.played
    assert case.played[-1].time <= ends < short().played[-1].time


async def test_step_when_it_changes_a_state_shows_before_and_after() -> None:
    _, found = await steps(await the_story(await log_of(short())), TRADE_ID, replayed)
    (last,) = [step for step in found if any(emit.event.type == "consensus.reached" for emit in step.handled.emits)]
    path = f"rounds.{TRADE_ID}.closed"
    assert (path, False, True) in last.changes
    assert last.handled.before.rounds[TRADE_ID].closed is False  # type: ignore[attr-defined]
    assert last.stops_at(frozenset({"consensus.reached"}))
    assert last.stops_at(frozenset({CONSENSUS}))
    assert not last.stops_at(frozenset({"news.received", "oracle"}))


async def test_decision_when_something_was_under_way_is_debugged_as_it_was_made() -> None:
    asked = an_options_request(view=None, time=short().played[-1].time + HOUR)
    asking = replace(short(), played=(*short().played, asked))
    prompt = (await play(asking, replayed)).log
    analysed = next(event for event in reversed(prompt) if event.type == "analysis.completed" and _is_of_aapl(event))
    lagging = (await play(replace(asking, late=(analysed.id,), came=(asked,)), replayed)).log
    told = [event for event in lagging if event.correlationid == asked.id]
    assert told != [event for event in prompt if event.correlationid == asked.id]
    before = [event for event in prompt if event.correlationid != asked.id and event != analysed]
    store = InMemoryEventStore()
    await store.append([*before, asked, analysed, *told[1:]])
    case = await reproduced(await story(store, SETTINGS, asked.id, LOCAL), asked.id, replayed)
    assert case.late == (analysed.id,)
    assert differences(case, (await steps(case, asked.id, replayed))[0], asked.id) == []


async def test_decision_when_it_is_another_in_any_case_is_debugged_as_it_differs_least() -> None:
    stored = await the_story(await log_of(short()))
    altered = _altered(stored)
    cases = [replace(altered, came=altered.came[:1]), altered, replace(altered, came=())]
    assert await reproduced(cases, TRADE_ID, replayed) is altered


class Explaining:
    """A `Completer` that answers as its question asks, and counts."""

    model = "gpt-4.1-mini"

    def __init__(self) -> None:
        self.asked = 0

    async def complete(self, request: Request) -> Completion:
        """Give an answer."""
        self.asked += 1
        messages = [{"role": role, "content": text} for role, text in request.messages]
        asked = {"messages": messages, "response_format": {"json_schema": {"schema": request.schema}}}
        return Completion(explains(asked), "stop", 100, 20)

    async def close(self) -> None:
        """Do nothing."""


async def test_decision_when_a_model_was_asked_is_debugged_with_its_answers_and_asks_nobody(tmp_path: Path) -> None:
    completer = Explaining()

    def live(settings: Settings, world: World) -> Mapping[str, Role]:
        """Give the agents with a model that is asked."""
        world.model = a_model_of(completer)
        return replayed(settings, world)

    store = InMemoryEventStore()
    await store.append((await play(short(), live)).log)
    asked = completer.asked
    case = await the_story(store)
    write(case, tmp_path / "case.jsonl")
    for each in (case, read(tmp_path / "case.jsonl")):
        run, found = await steps(each, TRADE_ID, replayed)
        assert differences(each, run, TRADE_ID) == []
        explained = [
            emit.event for step in found for emit in step.handled.emits if emit.event.type == "explanation.written"
        ]
        assert explained
        assert explained[0].data.text
    assert completer.asked == asked > 1
    # What it said in other stories is known, too: a headline's reading goes into votes.
    assert {event.correlationid for event in case.told} - {TRADE_ID}
    hers = InMemoryEventStore()
    await hers.append(
        [altered(each, owner="alice") if each.correlationid == TRADE_ID else each for each in await _all(store)]
    )
    (first, *_) = await story(hers, SETTINGS, TRADE_ID, ALICE)
    assert [event for event in first.told if not ALICE.reads(event)] == []
    assert [event for event in case.told if not ALICE.reads(event)] != []


async def _all(store: InMemoryEventStore) -> list[Event]:
    return [decode(body) for body in (await store.page(Filter(), "", 100_000)).events]


def _is_of_aapl(event: Event) -> bool:
    return bool(event.data.symbol == "AAPL")


async def test_decision_when_the_log_has_another_is_told_where_it_differs() -> None:
    case = await the_story(await log_of(short()))
    altered = _altered(case)
    run, _ = await steps(altered, TRADE_ID, replayed)
    different = differences(altered, run, TRADE_ID)
    assert len(different) == 2
    assert "is new" in different[0]
    assert "data.score was 0.99" in different[1]
    assert differences(as_replayed(altered, run, TRADE_ID), run, TRADE_ID) == []


@pytest.mark.parametrize(("factor", "count"), [(1 + 1e-6, 0), (1 + 1e-3, 1)])
async def test_score_when_another_processor_added_is_the_same_and_no_further(factor: float, count: int) -> None:
    case = await the_story(await log_of(short()))
    (reached,) = [event for event in case.came if event.type == "consensus.reached"]
    other = reached.model_copy(update={"data": reached.data.model_copy(update={"score": reached.data.score * factor})})
    moved = replace(case, came=tuple(other if event is reached else event for event in case.came))
    run, _ = await steps(moved, TRADE_ID, replayed)
    assert len(differences(moved, run, TRADE_ID)) == count


def _altered(case: Case) -> Case:
    other = (
        event.model_copy(update={"data": event.data.model_copy(update={"score": 0.99})})
        if event.type == "consensus.reached"
        else event
        for event in case.came
        if event.source != "oracle"
    )
    return replace(case, came=tuple(other))


@pytest.mark.parametrize(("correlation", "caller"), [("nobody", LOCAL), (TRADE_ID, ALICE)])
async def test_story_when_there_is_none_that_the_caller_may_read_says_so(correlation: str, caller: Caller) -> None:
    store = await log_of(short())
    with pytest.raises(MissingError, match=f"{correlation}: no story in the log has this"):
        await story(store, SETTINGS, correlation, caller)


async def test_story_when_it_is_the_callers_own_shows_nothing_of_others() -> None:
    store = await log_of(short())
    log = (await play(short(), replayed)).log
    crashes = {event.correlationid for event in log if event.type == "market.crash.detected"}
    assessed = next(event for event in log if event.type == "risk.assessed" and event.correlationid in crashes)
    all_of_it, of_alice = [
        await reproduced(
            await story(store, SETTINGS, assessed.correlationid, caller), assessed.correlationid, replayed, caller
        )
        for caller in (LOCAL, ALICE)
    ]
    run, found = await steps(of_alice, assessed.correlationid, replayed, caller=ALICE)
    assert differences(of_alice, run, assessed.correlationid) == []
    seen = [event for step in found for event in (step.handled.event, *(each.event for each in step.handled.emits))]
    assert seen
    assert all(ALICE.reads(event) for event in (*seen, *run.log, *of_alice.came))
    assert assessed in all_of_it.came
    assert assessed not in of_alice.came
    assert all(ALICE.reads(event) for event in of_alice.played), "an export would tell of others"
    assert not all(ALICE.reads(event) for event in all_of_it.played)


async def test_pace_when_the_desk_ran_at_another_speed_is_that_of_its_log() -> None:
    request = a_trade_request(id="paced")
    patience = SETTINGS.deadline_seconds
    ended = altered(a_deadline(request), time=request.time + timedelta(seconds=patience * 3_600))
    store = InMemoryEventStore()
    await store.append([request, ended])
    (case, *_) = await story(store, SETTINGS, request.correlationid, LOCAL)
    assert SETTINGS.speed != case.pace == 3_600


async def test_ledger_when_a_story_was_worked_on_twice_adds_up_by_agent_and_event() -> None:
    ledger, usage = InMemoryLedger(), Usage(executions=1, handler_us=5)
    entry = Entry(1, "oracle", TRADE_ID, "trade.requested", TRADE_ID, "", "", usage)
    await ledger.add(Batch("1", (entry, entry._replace(started=2))))
    assert await used_by(ledger, TRADE_ID) == {("oracle", TRADE_ID): Usage(executions=2, handler_us=10)}


def test_case_when_written_and_read_is_the_same(tmp_path: Path) -> None:
    case = replace(short(), came=golden().came, late=("a", "b"))
    write(case, tmp_path / "case.jsonl")
    assert read(tmp_path / "case.jsonl") == case
    assert [file.name for file in tmp_path.iterdir()] == ["case.jsonl"]


@pytest.mark.parametrize(
    ("line", "text", "complaint"),
    [
        (0, b"", "line 1: no JSON"),
        (0, b'{"finagent_case": 99}', "no case of version 1"),
        (0, b'{"finagent_case": 1, "pace": 1, "made": 0, "settings": {}}', "line 1: late: "),
        (0, b'{"finagent_case": 1, "pace": 0, "made": 0, "settings": {}, "late": []}', "line 1: pace: "),
        (0, b'{"finagent_case": 1, "pace": NaN, "made": 0, "settings": {}, "late": []}', "line 1: pace: "),
        (0, b'{"finagent_case": 1, "pace": 1, "made": "all", "settings": {}, "late": []}', "line 1: made: "),
        (2, b'{"played": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", "line 3: no JSON"),
        (2, b"{", "line 3: no JSON"),
        (2, b'{"played": {"type": "nonsense"}}', "line 3: no event type 'nonsense'"),
        (2, b'{"other": {}}', "line 3: 'other'"),
        (2, b"[]", "line 3: no event that was played or came"),
        (2, b'{"played": {}, "came": {}}', "line 3: no event that was played or came"),
    ],
)
def test_case_when_a_line_is_none_is_refused_with_its_number(
    tmp_path: Path, line: int, text: bytes, complaint: str
) -> None:
    file = tmp_path / "case.jsonl"
    write(short(), file)
    lines = file.read_bytes().splitlines()
    file.write_bytes(b"\n".join([*lines[:line], text, *lines[line + 1 :]]))
    with pytest.raises(InvalidError, match=complaint):
        read(file)


def test_case_when_nothing_is_played_in_it_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "case.jsonl"
    write(replace(short(), played=()), file)
    with pytest.raises(InvalidError, match="nothing is played in it"):
        read(file)


async def test_story_when_the_log_has_an_event_of_a_newer_version_is_told_without_it() -> None:
    store = await log_of(short())
    newer = an_event(short(), "news.received").model_copy(update={"id": "newer", "dataschemaversion": 2})
    await store.append([newer])
    assert await the_story(store) == await the_story(await log_of(short()))


def test_case_when_it_cannot_be_read_or_written_says_which(tmp_path: Path) -> None:
    with pytest.raises(InvalidError, match=r"none\.jsonl: cannot be read: No such file"):
        read(tmp_path / "none.jsonl")
    with pytest.raises(InvalidError, match=r"case\.jsonl: cannot be written"):
        write(short(), tmp_path / "no folder" / "case.jsonl")
