"""Where the database is put to the test: a table of numbers, and work on it that succeeds or fails."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from shared.sqlite import Database, Work

SCHEMA = "CREATE TABLE IF NOT EXISTS numbers (number INTEGER PRIMARY KEY, text TEXT NOT NULL DEFAULT '')"
REPOSITORY = Path(__file__).parents[2]


@contextmanager
def opened(path: Path) -> Iterator[Database]:
    """Open a file again."""
    database = Database(path, (SCHEMA,))
    try:
        yield database
    finally:
        database.close()


def insert(number: int, text: str = "") -> Work[int]:
    """Give a unit of work that adds a number, and gives it."""

    def work(connection: sqlite3.Connection) -> int:
        connection.execute("INSERT INTO numbers VALUES (?, ?)", (number, text))
        return number

    return work


def insert_and_fail(number: int) -> Work[int]:
    """Give a unit of work that breaks after it has added a number."""

    def work(connection: sqlite3.Connection) -> int:
        insert(number)(connection)
        raise ValueError(f"no {number}")

    return work


def numbers(database: Database) -> list[int]:
    """Give what is committed."""
    return [number for (number,) in database.read("SELECT number FROM numbers ORDER BY number")]


async def limit_pages(database: Database, most: int) -> None:
    """Let the file grow to so many pages; what is there already is kept."""
    await database.write(lambda connection: connection.execute(f"PRAGMA max_page_count = {most}").fetchall())
