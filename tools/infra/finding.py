"""What a check found: one sentence, and where."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """Something that is wrong.

    Attributes
    ----------
    place : str
        File and line, or the file alone, relative to `infra/`.
    """

    place: str
    text: str

    def __str__(self) -> str:
        return f"{self.place}: {self.text}"


class BicepError(Exception):
    """A file cannot be read any further; `finding` says why."""

    def __init__(self, finding: Finding) -> None:
        super().__init__(str(finding))
        self.finding = finding
