"""Keys and buckets: what is compared and how, how soon a revocation counts, and what a caller may ask for."""

import hmac
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.callers.authority import REFRESH_SECONDS, KeyAuthority
from shared.callers.bucket import Buckets
from shared.callers.caller import NOBODY, Role
from shared.callers.in_memory import InMemoryKeyRing
from shared.callers.key import Key, id_of, new_key
from shared.errors import DeniedError, TransientError
from tests.builders import CLOSE

READER = frozenset({Role.READER})


class Ring(InMemoryKeyRing):
    """Counts how often it is read, and can fail."""

    def __init__(self) -> None:
        super().__init__()
        self.reads = 0
        self.fails = False

    async def keys(self) -> list[Key]:
        """Give all keys."""
        self.reads += 1
        if self.fails:
            raise TransientError("away")
        return await super().keys()


class Clock:
    """Seconds that a test moves."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        """Give the seconds."""
        return self.now


async def _asked() -> tuple[KeyAuthority, Ring, Clock, Key, dict[str, str]]:
    ring, clock = Ring(), Clock()
    key, text = new_key("alice", READER, CLOSE)
    await ring.add(key)
    return KeyAuthority(ring, clock), ring, clock, key, {"authorization": f"Bearer {text}"}


async def test_key_when_it_is_shown_often_is_read_once_in_a_while() -> None:
    authority, ring, clock, key, shown = await _asked()
    for _ in range(100):
        caller = await authority.identify(shown)
    assert (caller.id, caller.owner, caller.roles, ring.reads) == (f"key:{key.id}", "alice", READER, 1)
    for _ in range(100):
        with pytest.raises(DeniedError):
            await authority.identify({"authorization": f"Bearer {new_key('a', READER, CLOSE)[1]}"})
    assert ring.reads == 1
    clock.now += REFRESH_SECONDS
    await authority.identify(shown)
    assert ring.reads == 2


async def test_key_when_it_is_revoked_counts_no_more_after_the_refresh() -> None:
    authority, ring, clock, key, shown = await _asked()
    await authority.identify(shown)
    await ring.revoke(key.id, CLOSE)
    clock.now += REFRESH_SECONDS - 0.1
    await authority.identify(shown)
    clock.now += 0.1
    with pytest.raises(DeniedError):
        await authority.identify(shown)
    assert REFRESH_SECONDS <= 5


async def test_keys_when_they_cannot_be_read_any_more_count_no_more() -> None:
    authority, ring, clock, _, shown = await _asked()
    await authority.identify(shown)
    ring.fails = True
    clock.now += REFRESH_SECONDS
    with pytest.raises(TransientError):
        await authority.identify(shown)
    assert await authority.identify({}) is NOBODY


@pytest.mark.parametrize("known", [True, False])
async def test_key_when_it_is_compared_takes_as_long_whatever_it_is(
    known: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority, _, _, _, shown = await _asked()
    text = shown["authorization"] if known else f"Bearer {new_key('a', READER, CLOSE)[1]}"
    compared: list[tuple[str, str]] = []
    real = hmac.compare_digest

    def compare(one: str, other: str) -> bool:
        compared.append((one, other))
        return real(one, other)

    monkeypatch.setattr(hmac, "compare_digest", compare)
    with pytest.raises(DeniedError):
        await authority.identify({"authorization": text[:-1] + ("A" if text[-1] != "A" else "B")})
    assert [(len(one), len(other)) for one, other in compared] == [(64, 64)]


def test_key_when_it_is_made_is_random_and_has_a_shape_that_can_be_searched_for() -> None:
    made = [new_key("alice", READER, CLOSE) for _ in range(50)]
    assert len({text for _, text in made} | {key.id for key, _ in made}) == 100
    for key, text in made:
        assert re.fullmatch(r"finagent_[0-9a-f]{12}_[A-Za-z0-9_-]{43}", text)
        assert id_of(text) == key.id
        assert text not in repr(key)


@given(
    steps=st.lists(st.tuples(st.floats(0, 5), st.integers(0, 30)), max_size=30),
    per_second=st.floats(0.1, 20),
    burst=st.floats(1, 40),
)
def test_bucket_when_requests_come_lets_no_more_through_than_rate_and_burst(
    steps: list[tuple[float, int]], per_second: float, burst: float
) -> None:
    clock = Clock()
    buckets = Buckets(per_second, burst, clock)
    let_in = 0
    for seconds, requests in steps:
        clock.now += seconds
        let_in += sum(not buckets.take("alice") for _ in range(requests))
        assert let_in <= burst + per_second * clock.now + 1e-6
    wait = buckets.take("alice")
    clock.now += wait + 1e-9
    assert not wait or not buckets.take("alice")
    assert not buckets.take("bob")
