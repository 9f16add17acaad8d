"""A built file in the encodings that the build wrote beside it, each with its own tag."""

from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Self

from fastapi import Response

_SUFFIXES = {"br": ".br", "gzip": ".gz"}


@dataclass(frozen=True, slots=True)
class Representation:
    """Bytes as they are sent.

    Attributes
    ----------
    etag : str
        In its quotes.
    encoding : str
        A content coding; empty for none.
    """

    content: bytes
    etag: str
    encoding: str = ""

    def answer(self, known: str, media_type: str, headers: dict[str, str]) -> Response:
        """Give it as an answer, or 304 to whoever has it already (`known` is the request's If-None-Match)."""
        told = headers | {"ETag": self.etag} | ({"Content-Encoding": self.encoding} if self.encoding else {})
        if self.etag in [tag.strip().removeprefix("W/") for tag in known.split(",")]:
            return Response(status_code=304, headers=told)
        return Response(self.content, headers=told, media_type=media_type)


@dataclass(frozen=True, slots=True)
class WebFile:
    """A file of the dashboard.

    Attributes
    ----------
    representations : tuple of Representation
        The smallest first, the plain one last.
    """

    representations: tuple[Representation, ...]

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read a file, and what lies beside it under the same name with `.br` or `.gz`."""
        encoded = {coding: path.with_name(path.name + suffix) for coding, suffix in _SUFFIXES.items()}
        found = [_read(file, coding) for coding, file in encoded.items() if file.exists()]
        return cls((*found, _read(path, "")))

    @property
    def plain(self) -> bytes:
        """The content itself."""
        return self.representations[-1].content

    def best(self, accepted: str) -> Representation:
        """Give the first representation that an Accept-Encoding takes."""
        taken = {name.strip() for name, _, rest in map(_parts, accepted.split(",")) if rest.strip() != "q=0"}
        return next(each for each in self.representations if not each.encoding or each.encoding in taken)


def _parts(coding: str) -> tuple[str, str, str]:
    return coding.partition(";")


def _read(path: Path, encoding: str) -> Representation:
    content = path.read_bytes()
    return Representation(content, f'"{sha256(content).hexdigest()[:32]}"', encoding)
