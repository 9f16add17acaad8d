"""Instance time is billed as the Functions host meters it, whoever shares it."""

from hypothesis import given
from hypothesis import strategies as st

from shared.ledger.period import LEAST_US, STEP_US, ActivePeriod

MS = 1_000


class Instance:
    """An instance of a function, its clock, and what it was billed, in milliseconds."""

    def __init__(self) -> None:
        self.period = ActivePeriod()
        self.now = 5_000
        self.billed = 0

    def run(self, *, after: int = 0, during: int) -> int:
        """Execute once, alone, and give what that is billed."""
        self.now += after
        begun = self.period.begin(self.now * MS)
        self.now += during
        return self._end(begun)

    def _end(self, begun: float) -> int:
        billed = self.period.end(begun, self.now * MS) // MS
        self.billed += billed
        return billed


def test_execution_when_short_and_alone_is_billed_a_second() -> None:
    assert Instance().run(during=1) == 1_000


def test_execution_when_longer_is_rounded_up_to_a_tenth_of_a_second() -> None:
    assert Instance().run(during=1_320) == 1_400


def test_executions_when_one_after_the_other_are_billed_as_the_host_meters_them() -> None:
    # The figures are those of the host's own tests.
    instance = Instance()
    totals = []
    for after, during in ((0, 350), (100, 200), (30, 1_200), (300, 1_320)):
        instance.run(after=after, during=during)
        totals.append(instance.billed)
    assert totals == [1_000, 1_000, 2_000, 3_400]


def test_executions_when_within_a_second_that_is_paid_for_are_free() -> None:
    instance = Instance()
    assert [instance.run(during=100) for _ in range(10)] == [1_000, *[0] * 9]


def test_executions_when_they_overlap_share_the_instance_evenly() -> None:
    period = ActivePeriod()
    first = period.begin(0)
    second = period.begin(400 * MS)
    assert period.end(first, 1_000 * MS) == 700 * MS
    assert period.end(second, 1_450 * MS) == 1_500 * MS - 700 * MS


def test_executions_when_they_overlap_in_a_paid_second_pay_only_beyond_it() -> None:
    period = ActivePeriod()
    period.end(period.begin(0), 10 * MS)
    first, second = period.begin(800 * MS), period.begin(900 * MS)
    assert period.end(first, 1_200 * MS) == 100 * MS
    assert period.end(second, 1_300 * MS) == 900 * MS


@given(st.lists(st.tuples(st.integers(0, 3_000_000), st.integers(0, 4_000_000)), min_size=1, max_size=30))
def test_shares_when_added_up_are_what_the_instance_is_billed(runs: list[tuple[int, int]]) -> None:
    moments = [(start, number, True) for number, (start, _) in enumerate(runs)]
    moments += [(start + during, number, False) for number, (start, during) in enumerate(runs)]
    period, begun, shares = ActivePeriod(), dict[int, float](), list[int]()
    for now, number, begins in sorted(moments, key=lambda moment: (moment[0], not moment[2])):
        if begins:
            begun[number] = period.begin(now)
        else:
            shares.append(period.end(begun[number], now))
    assert min(shares) >= 0
    assert sum(shares) == _metered(runs)


def _metered(runs: list[tuple[int, int]]) -> int:
    """Give what the host meters: each busy interval, from where the last one was paid up to."""
    billed = paid_until = 0
    for start, end in _busy(runs):
        since = max(start, paid_until)
        if end > since:
            length = max(LEAST_US, -(-(end - since) // STEP_US) * STEP_US)
            billed, paid_until = billed + length, since + length
    return billed


def _busy(runs: list[tuple[int, int]]) -> list[tuple[int, int]]:
    intervals: list[tuple[int, int]] = []
    for start, during in sorted(runs):
        if intervals and start <= intervals[-1][1]:
            intervals[-1] = intervals[-1][0], max(intervals[-1][1], start + during)
        else:
            intervals.append((start, start + during))
    return intervals
