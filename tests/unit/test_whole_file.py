"""Files that appear when they are whole."""

from pathlib import Path

import pytest

from shared.errors import InvalidError
from shared.replay.whole_file import write_whole


def test_file_when_written_replaces_what_was_there(tmp_path: Path) -> None:
    file = tmp_path / "a.json"
    for body in (b"a longer one", b"short"):
        write_whole(file, body)
        assert file.read_bytes() == body
    assert list(tmp_path.iterdir()) == [file]


def test_file_when_it_cannot_be_written_leaves_nothing_of_it(tmp_path: Path) -> None:
    taken = tmp_path / "taken"
    (taken / "within").mkdir(parents=True)
    with pytest.raises(InvalidError, match="taken: cannot be written: "):
        write_whole(taken, b"body")
    with pytest.raises(InvalidError, match=r"file.json: cannot be written: No such file"):
        write_whole(tmp_path / "none" / "file.json", b"body")
    assert [path.name for path in tmp_path.iterdir()] == ["taken"]
