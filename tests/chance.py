"""Chance that can be had again: a seed that a failing test shows, and that the environment may give."""

import os
from random import Random, SystemRandom


def seeded() -> Random:
    """Give a source of chance and print its seed, which pytest shows with a failure; `SEED=...` repeats it."""
    seed = int(os.environ.get("SEED") or SystemRandom().randrange(1_000_000))
    print(f"repeat with SEED={seed}")
    return Random(seed)
