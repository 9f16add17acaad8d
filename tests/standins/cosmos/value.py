"""Values as Cosmos's SQL sees them: JSON and `undefined`, compared and ordered by type first."""

from functools import cmp_to_key


class Undefined:
    """What a path gives where there is nothing."""

    def __repr__(self) -> str:
        return "undefined"


UNDEFINED = Undefined()


def rank(value: object) -> int:
    """Give the place of a value's type in the order of types."""
    match value:
        case Undefined():
            return 0
        case None:
            return 1
        case bool():
            return 2
        case int() | float():
            return 3
        case str():
            return 4
        case list():
            return 5
        case _:
            return 6


def compare(left: object, right: object) -> int:
    """Order two values: -1, 0 or 1."""
    if rank(left) != rank(right):
        return -1 if rank(left) < rank(right) else 1
    if isinstance(left, str) and isinstance(right, str):
        return (left > right) - (left < right)
    if isinstance(left, int | float) and isinstance(right, int | float):
        return (left > right) - (left < right)
    return 0


ORDER = cmp_to_key(compare)


def equal(left: object, right: object) -> object:
    """Say whether two values are equal; undefined where they are of different types."""
    if rank(left) != rank(right) or UNDEFINED in (left, right):
        return UNDEFINED
    return left == right


def at(value: object, *path: object) -> object:
    """Give what is at a path inside a value."""
    for step in path:
        if isinstance(value, dict) and isinstance(step, str):
            value = value.get(step, UNDEFINED)
        elif isinstance(value, list) and isinstance(step, int | float) and 0 <= step < len(value):
            value = value[int(step)]
        else:
            return UNDEFINED
    return value
