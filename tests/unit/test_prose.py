"""Prose of a model: every number in it must be one of ours, and nothing in it may be a link."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.agents.prose import flaw

FACTS = (
    '{"trade":{"symbol":"BRK.B","quantity":10.0},"score":-0.474238,"voted":4,"for":1,"against":3,"weight":1.0,'
    '"ewma_var_95":0.0213,"value":12345.678,"reason":"BRK.B closed at 19.62 USD on 2008-09-11, within -17.2% and'
    ' +19.5% with 90 %."}'
)
SOUND = [
    "The trade in BRK.B was rejected with a score of -0.47.",
    "A score of 0.474 against it, or 47 %, by three of four votes.",
    "A score of −0.47; one voted for it.",
    "At 95% the value at risk is 2.1%, or 2.13 percent.",
    "It is worth 12,345.68 USD, about 12,346.",
    "It closed at 19.62 on 2008-09-11, and stays within -17.2 % and +19.5 % with 90%.",
    "Ten shares, 10 of them.",
    "The analyst sees no trend at all.",
]
FLAWED = {
    "A score of -0.48.": "not in the facts",
    "A score of +0.47.": "not in the facts",
    "A score of -0.47 and a target of 250 USD.": "not in the facts",
    "It may fall by 25 %.": "not in the facts",
    "It holds 4% of the votes.": "not in the facts",
    "The weight is 2.": "not in the facts",
    "A score of 0.": "not in the facts",
    "Five agents were for it.": "not in the facts",
    "It will be worth a million.": "in words",
    "It may lose half.": "in words",
    "Its price will double or doubles.": "in words",
    "A gain of ½ is near.": "cannot be checked",
    "Up USD300 soon.": "cannot be checked",
    "See https://evil.example/?q=1": "links",
    "See evil.com for more.": "links",
    "See [this](x) for more.": "links",
    "Write to me@evil": "links",
    "<img src=x>": "links",
    "**Buy** it.": "links",
    " " * 40: "no words",
    "... -- 4!": "no words",
    "It was reject\u200bed.": "nobody sees",
    "It was \u202ereversed.": "nobody sees",
    "It was\x00 rejected.": "nobody sees",
}


@pytest.mark.parametrize("prose", SOUND)
def test_prose_when_its_numbers_are_the_facts_is_sound(prose: str) -> None:
    assert flaw(prose, FACTS) is None


@pytest.mark.parametrize("prose", FLAWED)
def test_prose_when_it_says_more_than_the_facts_is_flawed(prose: str) -> None:
    assert FLAWED[prose] in str(flaw(prose, FACTS))


@given(st.text(max_size=200))
def test_prose_when_it_is_anything_is_judged(prose: str) -> None:
    flaw(prose, FACTS)


@given(st.floats(-1e6, 1e6).filter(lambda value: abs(value) >= 0.01), st.integers(2, 6))
def test_number_when_it_is_rounded_holds_and_when_it_is_another_does_not(value: float, decimals: int) -> None:
    facts = f'{{"value":{value!r}}}'
    assert flaw(f"It is {value:.{decimals}f}.", facts) is None
    assert flaw(f"It is {2 * value:.{decimals}f}.", facts) is not None
