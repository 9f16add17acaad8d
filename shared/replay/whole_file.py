"""Files that appear when they are whole: a full disk, or a process that is killed, leaves what was there before."""

import os
from contextlib import suppress
from pathlib import Path

from shared.errors import InvalidError


def write_whole(path: Path, body: bytes) -> None:
    """Write a file, or replace it.

    Raises
    ------
    InvalidError
        It cannot be written; nothing is left of it.
    """
    part = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        part.write_bytes(body)
        part.replace(path)
    except OSError as error:
        raise InvalidError(f"{path}: cannot be written: {error.strerror}") from error
    finally:
        with suppress(OSError):
            part.unlink()
