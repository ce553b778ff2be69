"""How measurements are printed."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table


def show(title: str, headings: Sequence[str], rows: Sequence[Sequence[str]], note: str = "") -> None:
    """One table; what stands beside what is said in ``note``."""
    table = Table(title=title, title_justify="left", caption=note, caption_justify="left")
    for number, heading in enumerate(headings):
        table.add_column(heading, justify="left" if number == 0 else "right")
    for row in rows:
        table.add_row(*row)
    console = Console()
    console.width = max(console.width, 110)  # a figure cut short is no figure
    console.print(table)


def percentile(times: Sequence[float], share: float) -> float:
    """The value below which ``share`` of the (unsorted) times lie."""
    ordered = sorted(times)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]
