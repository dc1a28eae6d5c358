"""Covers made from an event's id: a gradient and a pattern, so that no picture is ever missing.

The same id always gives the same cover. Only presentation attributes are used: the pages allow
no inline style.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterator

from markupsafe import Markup

WIDTH, HEIGHT = 640, 280

# Dark to light, two at a time: each pair is calm enough to lie above a title.
GRADIENTS = (
    ("#312e81", "#7c6cf0"),
    ("#0b3b5c", "#3aa6d0"),
    ("#14532d", "#53b07c"),
    ("#5b1a3c", "#d2719f"),
    ("#5a2b0c", "#e0913f"),
    ("#26324a", "#8296b8"),
)


def cover(event_id: str) -> Markup:
    """An inline SVG, safe to put into a page as it is. It is decoration: hide it from readers."""
    digest = hashlib.sha256(event_id.encode()).digest()
    dark, light = GRADIENTS[digest[0] % len(GRADIENTS)]
    pattern = PATTERNS[digest[1] % len(PATTERNS)]
    name = f"g{digest.hex()[:8]}"
    return Markup(  # noqa: S704 (made of numbers and our own colours only)
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" preserveAspectRatio="xMidYMid slice">'
        f'<defs><linearGradient id="{name}" x1="0" y1="0" x2="1" y2="1">'
        f'<stop offset="0" stop-color="{dark}"/><stop offset="1" stop-color="{light}"/>'
        f'</linearGradient></defs><rect width="{WIDTH}" height="{HEIGHT}" fill="url(#{name})"/>'
        f'<g fill="none" stroke="#ffffff" stroke-width="2">{"".join(pattern(digest))}</g></svg>'
    )


def _arcs(digest: bytes) -> Iterator[str]:
    """Rows of a hall around a stage at the lower edge."""
    x = 120 + digest[2] % 400
    for i in range(14):
        opacity = 0.1 + 0.5 * (digest[3 + i] / 255) ** 2
        dash = 6 + digest[4 + i] % 30
        yield (
            f'<circle cx="{x}" cy="{HEIGHT + 30}" r="{60 + i * 34}" '
            f'stroke-width="10" stroke-dasharray="{dash} 5" opacity="{opacity:.2f}"/>'
        )


def _waves(digest: bytes) -> Iterator[str]:
    height = 14 + digest[2] % 26
    for i in range(11):
        y = 10 + i * 26
        bends = " ".join("t80 0" for _ in range(8))
        opacity = 0.12 + 0.4 * digest[3 + i] / 255
        x = -80 + (i * digest[15]) % 80
        yield (
            f'<path d="M{x} {y}q40 {-height} 80 0 {bends}" stroke-width="4" '
            f'opacity="{opacity:.2f}"/>'
        )


def _dots(digest: bytes) -> Iterator[str]:
    """A sparse field of seats, some of them lit."""
    for i in range(22 * 10):
        byte = digest[(i * 7 + i // 13) % len(digest)]
        x, y = 15 + (i % 22) * 29, 14 + (i // 22) * 28
        opacity = 0.08 + 0.5 * ((byte ^ (i * 37)) % 256 / 255) ** 3
        yield (
            f'<circle cx="{x}" cy="{y}" r="8" fill="#ffffff" stroke="none" '
            f'opacity="{opacity:.2f}"/>'
        )


def _beams(digest: bytes) -> Iterator[str]:
    """Stage lights from above."""
    for i in range(7):
        x = 40 + i * 95
        lean = math.sin(digest[2 + i]) * 190
        opacity = 0.08 + 0.22 * digest[9 + i] / 255
        points = f"{x},-10 {x + lean - 60:.0f},{HEIGHT + 10} {x + lean + 60:.0f},{HEIGHT + 10}"
        yield f'<polygon points="{points}" fill="#ffffff" stroke="none" opacity="{opacity:.2f}"/>'


PATTERNS: tuple[Callable[[bytes], Iterator[str]], ...] = (_arcs, _waves, _dots, _beams)
