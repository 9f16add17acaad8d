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
    rows : sequence
        At least one; each has a cell for every column.
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
        is_number = [not isinstance(cell, str) for cell in self.rows[0]]
        widths = [max(map(len, column)) for column in zip(self.columns, *cells, strict=True)]
        rule = [_rule(width, is_right=right) for width, right in zip(widths, is_number, strict=True)]
        table = "\n".join(_line(line, widths, is_number) for line in (self.columns, rule, *cells))
        return f"#### {self.title}\n\n{table}\n" + (f"\n{self.note}\n" if self.note else "")


def _rule(width: int, *, is_right: bool) -> str:
    return "-" * (width - 1) + (":" if is_right else "-")


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
