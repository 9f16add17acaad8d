"""Highest and lowest of a moving window, kept as the few values that can still become it.

Owns the monotone queue: of a window only those values stay that no later one surpasses, so the state is short where the
window is long.
"""

type Candidates = tuple[tuple[int, float], ...]
"""Number and value of each bar that may still be the extreme of a window, oldest first; the first one is it."""


def push_highest(candidates: Candidates, nth: int, value: float, span: int) -> Candidates:
    """Take in bar number `nth` and let go of what left the window of `span` bars.

    Parameters
    ----------
    candidates : Candidates
        As this function gave it for the bar before; empty before the first.
    nth : int
        Number of the bar, one more than that of the bar before.
    value : float
        Finite, any unit.
    span : int
        Bars in the window, this one included.

    Returns
    -------
    Candidates
        Values fall from the first to the last; the first is the highest of the window.

    Notes
    -----
    At most `span` candidates, where values fall all the way; of a random walk about the square root of it.
    """
    kept = len(candidates)
    while kept and candidates[kept - 1][1] <= value:
        kept -= 1
    return (*candidates[_has_left(candidates, nth, span) : kept], (nth, value))


def push_lowest(candidates: Candidates, nth: int, value: float, span: int) -> Candidates:
    """Take in bar number `nth` as `push_highest` does; the first candidate is the lowest of the window."""
    kept = len(candidates)
    while kept and candidates[kept - 1][1] >= value:
        kept -= 1
    return (*candidates[_has_left(candidates, nth, span) : kept], (nth, value))


def _has_left(candidates: Candidates, nth: int, span: int) -> int:
    # The window moves by one bar, so at most one candidate leaves it.
    return 1 if candidates and candidates[0][0] <= nth - span else 0
