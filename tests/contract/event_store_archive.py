"""Contract of the event store: its log can be written out and read back, event for event, byte for byte."""

import json
from io import BytesIO

import pytest

from shared.archive import LONGEST_LINE_BYTES, Restored, export_log, import_log
from shared.errors import InvalidError
from shared.events.envelope import Event
from shared.store.port import Commit, EventStore
from shared.sweep import NAME, STREAM
from tests.builders import a_trade_request, altered
from tests.contract.event_store_bench import EventStoreBench, bodies, read_all
from tests.examples import FULL, LEAST

HISTORY: list[Event] = [
    *({event.id: event for event in (*FULL, *LEAST)}.values()),
    *(altered(a_trade_request(id=f"t{number}"), owner="alice") for number in range(450)),
]


def lines(*events: Event) -> bytes:
    """Give a file with these events."""
    return b"".join(event.json_bytes + b"\n" for event in events)


class Archive(EventStoreBench):
    """Export and import."""

    async def test_log_when_exported_and_imported_is_the_same_to_the_byte(self, store: EventStore) -> None:
        await store.append(HISTORY)
        first, second = BytesIO(), BytesIO()
        assert await export_log(store, first) == len(HISTORY)
        assert self.in_order(first.getvalue().splitlines()) == self.in_order(bodies(HISTORY))
        async with self.opened() as other:
            first.seek(0)
            assert await import_log(other, first) == (len(HISTORY), len(HISTORY))
            await export_log(other, second)
        assert self.in_order(second.getvalue().splitlines()) == self.in_order(first.getvalue().splitlines())
        assert second.getvalue().endswith(b"}\n")

    async def test_import_when_it_was_stopped_adds_what_is_missing(self, store: EventStore) -> None:
        await import_log(store, BytesIO(lines(*HISTORY[:250])))
        done = await import_log(store, BytesIO(lines(*HISTORY)))
        assert done == Restored(len(HISTORY), len(HISTORY) - 250)
        assert self.in_order(await read_all(store, limit=500)) == self.in_order(bodies(HISTORY))

    @pytest.mark.parametrize(
        ("wrong", "reason"),
        [
            (b"{}\n", "type"),
            (b"\n", "not JSON"),
            (b'{"type": "trade.dreamt"}\n', "trade.dreamt"),
            (a_trade_request(id="cut").json_bytes[:-20], "has no end"),
            (a_trade_request(id="no-end").json_bytes, "has no end"),
            (b"x" * (LONGEST_LINE_BYTES + 1) + b"\n", "has no end"),
            (lines(a_trade_request(id="t1", quantity=7)), "another event with the id t1"),
        ],
        ids=["empty", "blank", "unknown", "cut", "no-end", "long", "other"],
    )
    async def test_import_when_a_line_is_wrong_names_it_and_keeps_what_came_before(
        self, store: EventStore, wrong: bytes, reason: str
    ) -> None:
        before = [a_trade_request(id=f"t{number}") for number in range(3)]
        with pytest.raises(InvalidError, match=f"^line 4: .*{reason}"):
            await import_log(store, BytesIO(lines(*before) + wrong))
        assert sorted(await read_all(store)) == bodies(before)

    async def test_import_when_a_host_has_swept_is_refused(self, store: EventStore) -> None:
        swept = json.dumps({"cursor": await store.end()}).encode()
        await store.commit(Commit(NAME, STREAM, "tick", swept, None, ()))
        with pytest.raises(InvalidError, match="a host has run"):
            await import_log(store, BytesIO(lines(*HISTORY[:1])))
        assert await read_all(store) == []
