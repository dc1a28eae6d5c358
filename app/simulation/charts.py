"""Line charts as SVG text: no script, readable in light and dark, in colour and without.

Each setting keeps its colour and its dashes through all charts; a limit is the same colour, thin.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import numpy as np

from app.simulation.figures import Line

WIDTH, HEIGHT = 640, 280
LEFT, RIGHT, TOP, BOTTOM = 80, 16, 12, 44
TICKS = 6
HOURS_FROM_MIN = 300  # longer than this, the axis counts hours


@dataclass(frozen=True, slots=True)
class Drawn:
    """One line. `style` picks colour and dashes; a limit is drawn thin."""

    line: Line
    style: int
    limit: bool = False


def chart(title: str, unit: str, lines: Sequence[Drawn], *, time: str = "") -> str:
    """An SVG element. `time` names the x axis, which counts minutes or, if long, hours."""
    longest = max(float(drawn.line[0].max(initial=0)) for drawn in lines) or 1.0
    highest = max(float(drawn.line[1].max(initial=0)) for drawn in lines) or 1.0
    hours = longest > HOURS_FROM_MIN
    across, up = _ticks(longest / (60 if hours else 1)), _ticks(highest, beyond=True)
    right, top = longest, max(highest, up[-1])
    grid = [_row(value, top) for value in up]
    grid += [_column(value, value * (60 if hours else 1), right) for value in across]
    paths = [_path(drawn, right, top) for drawn in lines]
    axis = f"{time or 'time'}, {'hours' if hours else 'minutes'}"
    return (
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(title)}">'
        f'<g class="grid">{"".join(grid)}</g>{"".join(paths)}'
        f'<text class="axis" x="{WIDTH - RIGHT}" y="{HEIGHT - 4}" text-anchor="end">{axis}</text>'
        f'<text class="axis" x="4" y="{HEIGHT - 4}">{escape(unit)}</text></svg>'
    )


def swatch(style: int) -> str:
    """A short piece of the line, for the legend."""
    return (
        f'<svg class="swatch" viewBox="0 0 40 8" aria-hidden="true">'
        f'<path class="line s{style}" d="M0 4H40"/></svg>'
    )


def _ticks(highest: float, *, beyond: bool = False) -> list[float]:
    """Round numbers from 0 to the highest: just below it, or `beyond`."""
    raw = highest / TICKS
    unit = 10 ** math.floor(math.log10(raw))
    step = next(unit * m for m in (1, 2, 2.5, 5, 10) if unit * m >= raw)
    steps = math.ceil(highest / step - 1e-9) if beyond else math.floor(highest / step + 1e-9)
    return [step * n for n in range(steps + 1)]


def _x(value: float, right: float) -> float:
    return LEFT + (WIDTH - LEFT - RIGHT) * value / right


def _y(value: float, top: float) -> float:
    return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * value / top


def _row(value: float, top: float) -> str:
    y = _y(value, top)
    return (
        f'<path d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}"/>'
        f'<text x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{_number(value)}</text>'
    )


def _column(label: float, value: float, right: float) -> str:
    x = _x(value, right)
    return (
        f'<text x="{x:.1f}" y="{HEIGHT - BOTTOM + 16}" text-anchor="middle">{_number(label)}</text>'
    )


def _path(drawn: Drawn, right: float, top: float) -> str:
    minutes, values = drawn.line
    points = [
        f"{_x(float(x), right):.1f} {_y(float(y), top):.1f}"
        for x, y in zip(minutes, np.maximum(values, 0), strict=True)
    ]
    kind = "limit" if drawn.limit else "line"
    return f'<path class="{kind} s{drawn.style}" d="M{"L".join(points)}"/>'


def _number(value: float) -> str:
    return f"{value:,.0f}" if value == round(value) else f"{value:,.1f}"
