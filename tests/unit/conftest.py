"""What several test modules here share."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.sqlite import Database
from tests.unit.database_bench import SCHEMA


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Give where a database is to be, in a folder that there is not yet."""
    return tmp_path / "data" / "desk.db"


@pytest.fixture
def database(path: Path) -> Iterator[Database]:
    """Give an open database of numbers."""
    database = Database(path, (SCHEMA,))
    yield database
    database.close()
