"""The cursor in Cosmos: what is forged is refused, and a position has one form."""

import base64
import json
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import InvalidError, MissingError
from shared.store.cosmos_cursor import BEGINNING, Mark, join, read_cursor, within, write_cursor

EDGES = ["", "08", "10", "1F", "2A", "FF"]
positions = st.lists(st.tuples(st.sampled_from(["", '"3"', '"4"']), st.integers(0, 2)), min_size=5, max_size=5).map(
    lambda parts: tuple(
        Mark(low, high, etag, lsn, lsn) for low, high, (etag, lsn) in zip(EDGES, EDGES[1:], parts, strict=False)
    )
)


def forged(content: object) -> str:
    """Give a cursor with any content."""
    packed = zlib.compress(json.dumps(content).encode(), wbits=-15)
    return base64.urlsafe_b64encode(packed).decode().rstrip("=")


@given(marks=positions)
def test_cursor_when_read_back_names_the_same_position(marks: tuple[Mark, ...]) -> None:
    cursor = write_cursor("log", marks)
    assert read_cursor("log", cursor) == join(marks)
    assert write_cursor("log", read_cursor("log", cursor)) == cursor
    assert write_cursor("log", reversed(marks)) == cursor


@given(marks=positions, low=st.sampled_from(["", "09", "10", "20"]), high=st.sampled_from(["21", "2A", "FF"]))
def test_position_when_cut_and_joined_again_is_the_same(marks: tuple[Mark, ...], low: str, high: str) -> None:
    inside, outside = within(marks, low, high)
    assert min(mark.low for mark in inside) == low
    assert max(mark.high for mark in inside) == high
    assert join([*outside, *inside]) == join(marks)


def test_position_when_equally_far_everywhere_is_one_mark() -> None:
    assert join([Mark("10", "FF", '"3"'), Mark("", "10", '"3"')]) == (Mark("", "FF", '"3"'),)


def test_cursor_when_empty_is_the_beginning() -> None:
    assert read_cursor("log", "") == BEGINNING


def test_cursor_when_of_another_log_is_missed() -> None:
    with pytest.raises(MissingError, match="no longer here"):
        read_cursor("log", write_cursor("other", BEGINNING))


@pytest.mark.parametrize(
    "content",
    [
        [],
        ["log"],
        7,
        {"log": 1},
        ["log", ["", '"3"', 0]],
        ["log", ["", '"3"', 0, "x"]],
        ["log", ["10", '"3"', 0, 0]],
        ["log", ["", "", 0, 0], ["FF", "", 0, 0]],
        ["log", ["", "", 0, 0], ["20", "", 0, 0], ["10", "", 0, 0]],
        ["log", "text"],
        ["log"] + [["", "", 0, 0]] * 100_000,
    ],
)
def test_cursor_when_forged_is_refused(content: object) -> None:
    with pytest.raises(InvalidError, match="after"):
        read_cursor("log", forged(content))
