"""Plots as SVG for a page that loads nothing. Every text is shown as text."""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass

WIDTH, ROW, LABEL, FIGURE = 720, 24, 210, 60
"""Pixels: of the whole plot, of a bar's row, of the labels before the bars and the figures behind them."""


@dataclass(frozen=True, slots=True)
class Bar:
    """A bar of one or more parts."""

    label: str
    parts: Sequence[int]


def bars(title: str, bars: Sequence[Bar], colours: Sequence[str], legend: Sequence[str] = ()) -> str:
    """Horizontal bars, their parts in these colours side by side; their sum stands behind. ``title`` is read
    to those who cannot see it."""
    most = max((sum(bar.parts) for bar in bars), default=0) or 1
    top = ROW if legend else 0
    height = top + ROW * max(len(bars), 1)
    drawn = [_legend(legend, colours)] if legend else []
    for place, bar in enumerate(bars):
        drawn.append(_bar(bar, top + place * ROW, (WIDTH - LABEL - FIGURE) / most, colours))
    return (
        f'<svg role="img" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}">'
        f"<title>{html.escape(title)}</title>{''.join(drawn)}</svg>"
    )


def _bar(bar: Bar, y: int, scale: float, colours: Sequence[str]) -> str:
    middle = y + ROW * 0.65
    label = html.escape(bar.label)
    drawn = [f'<text x="{LABEL - 8}" y="{middle:.1f}" text-anchor="end">{label}</text>']
    x = float(LABEL)
    for part, colour in zip(bar.parts, colours, strict=False):
        if part:
            place = f'x="{x:.1f}" y="{y + 4}" width="{part * scale:.1f}" height="{ROW - 8}"'
            drawn.append(f'<rect {place} fill="{colour}"/>')
        x += part * scale
    drawn.append(f'<text x="{x + 6:.1f}" y="{middle:.1f}">{sum(bar.parts)}</text>')
    return "".join(drawn)


def _legend(names: Sequence[str], colours: Sequence[str]) -> str:
    drawn, x = [], float(LABEL)
    for name, colour in zip(names, colours, strict=False):
        drawn.append(f'<rect x="{x:.0f}" y="4" width="12" height="12" fill="{colour}"/>')
        drawn.append(f'<text x="{x + 18:.0f}" y="15">{html.escape(name)}</text>')
        x += 120
    return "".join(drawn)
