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
    return (*(each for each in candidates if each[1] > value and each[0] > nth - span), (nth, value))


def push_lowest(candidates: Candidates, nth: int, value: float, span: int) -> Candidates:
    """Take in bar number `nth` as `push_highest` does; the first candidate is the lowest of the window."""
    return (*(each for each in candidates if each[1] < value and each[0] > nth - span), (nth, value))
