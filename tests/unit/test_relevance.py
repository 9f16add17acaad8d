"""Relevance by words: BM25 as its formula says, and its laws."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.quant.relevance import LENGTH_SHARE, SATURATION, bm25

words = st.lists(st.sampled_from("abcdef"), max_size=12)


def test_score_when_counted_by_hand_is_the_formula_s() -> None:
    texts = [["apple", "falls"], ["apple", "apple", "pie", "recipe"], ["ibm"]]
    [first, second, third] = bm25(["apple", "falls"], texts)
    mean = 7 / 3

    def part(count: int, having: int, length: int) -> float:
        rarity = math.log(1 + (3 - having + 0.5) / (having + 0.5))
        damping = SATURATION * (1 - LENGTH_SHARE + LENGTH_SHARE * length / mean)
        return rarity * count * (SATURATION + 1) / (count + damping)

    assert first == pytest.approx(part(1, 2, 2) + part(1, 1, 2))
    assert second == pytest.approx(part(2, 2, 4))
    assert third == 0


@pytest.mark.parametrize(
    ("query", "texts"), [([], []), (["a"], []), ([], [["a"]]), (["a"], [[]]), (["a"], [[], ["b"]])]
)
def test_score_when_there_is_nothing_to_compare_is_0(query: list[str], texts: list[list[str]]) -> None:
    assert bm25(query, texts) == [0.0] * len(texts)


@given(words, st.lists(words, max_size=8))
def test_score_when_texts_are_any_is_positive_for_just_those_that_share_a_word(
    query: list[str], texts: list[list[str]]
) -> None:
    scores = bm25(query, texts)
    assert [score > 0 for score in scores] == [bool(set(query) & set(text)) for text in texts]
    assert all(math.isfinite(score) for score in scores)
    assert bm25(query * 2, texts) == scores
    assert bm25(query, texts[::-1]) == pytest.approx(scores[::-1])


def test_score_when_a_word_is_rare_counts_more() -> None:
    common, rare = bm25(["a", "b"], [["a", "x"], ["b", "x"], ["a", "y"], ["a", "z"]])[:2]
    assert rare > common
