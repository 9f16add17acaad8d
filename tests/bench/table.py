"""What a part of the benchmark found, as a Markdown table: the same on the screen and in `docs/performance.md`."""

from collections.abc import Sequence
from dataclasses import dataclass

type Cell = str | int | float


@dataclass(frozen=True, slots=True)
class Table:
    """A titled table.

    Attributes
    ----------
    columns : tuple of str
        Headings, with units.
    note : str
        What one has to know to read it rightly.
    """

    title: str
    columns: tuple[str, ...]
    rows: Sequence[Sequence[Cell]]
    note: str = ""

    def __str__(self) -> str:
        """Give it as Markdown, numbers aligned to the right."""
        cells = [[_text(cell) for cell in row] for row in self.rows]
        is_number = [bool(self.rows) and not isinstance(cell, str) for cell in (self.rows[0] if self.rows else ())]
        widths = [max(map(len, column)) for column in zip(self.columns, *cells, strict=True)]
        rule = ["-" * (width - 1) + ":" if number else "-" * width for width, number in zip(widths, is_number, strict=True)]
        lines = [self.columns, rule, *cells]
        table = "\n".join(_line(line, widths, is_number) for line in lines)
        return f"### {self.title}\n\n{table}\n" + (f"\n{self.note}\n" if self.note else "")


def _line(cells: Sequence[str], widths: Sequence[int], is_number: Sequence[bool]) -> str:
    padded = (
        cell.rjust(width) if number else cell.ljust(width)
        for cell, width, number in zip(cells, widths, is_number, strict=True)
    )
    return f"| {' | '.join(padded)} |"


def _text(cell: Cell) -> str:
    if isinstance(cell, float):
        return f"{cell:,.0f}" if abs(cell) >= 100 else f"{cell:.3g}"
    return f"{cell:,}" if isinstance(cell, int) else cell
