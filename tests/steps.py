"""Counts what SQLite does in steps of its virtual machine, which no load of the machine changes."""

from collections.abc import Iterator
from contextlib import contextmanager

from shared.sqlite import Database


class Steps:
    """How many steps both connections of a file have made."""

    def __init__(self) -> None:
        self.count = 0

    def add(self) -> None:
        """Count one."""
        self.count += 1


@contextmanager
def counted(database: Database) -> Iterator[Steps]:
    """Give the steps that are made within."""
    steps, connections = Steps(), (database._reader, database._writer)
    for connection in connections:
        connection.set_progress_handler(steps.add, 1)
    try:
        yield steps
    finally:
        for connection in connections:
            connection.set_progress_handler(None, 1)
